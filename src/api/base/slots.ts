/** A counting semaphore per token. */
export interface Slots {
  /** Takes a slot and returns the function that releases it; null if the token has no free slot. */
  enter(accessKeyId: string): (() => void) | null;
}

/** Creates `limit` slots for each token. */
export function createSlots(limit: number): Slots {
  const taken = new Map<string, number>();
  return {
    enter(accessKeyId) {
      const count = taken.get(accessKeyId) ?? 0;
      if (count >= limit) return null;
      taken.set(accessKeyId, count + 1);
      let isBack = false;
      return () => {
        if (isBack) return;
        isBack = true;
        const left = (taken.get(accessKeyId) ?? 1) - 1;
        if (left > 0) taken.set(accessKeyId, left);
        else taken.delete(accessKeyId);
      };
    },
  };
}
