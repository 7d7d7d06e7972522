/** So many at once of something, for each token. */
export interface Places {
  /** Takes a place; the function gives it back. Null: the token has as many as it may. */
  enter(accessKeyId: string): (() => void) | null;
}

/** `limit` places for each token. */
export function createPlaces(limit: number): Places {
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
