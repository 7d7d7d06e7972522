/** A volume that an engine which was killed had begun to make. */
import type { Call } from '../driver.ts';
import type { EngineConnection } from './engine.ts';
import { statusOf } from './errors.ts';

interface DiskUse {
  readonly Volumes:
    | readonly { Name: string; UsageData: { RefCount: number; Size: number } | null }[]
    | null;
}

/** What the types of the client leave out. */
interface WithOptions {
  df(options: object): Promise<DiskUse>;
}

/**
 * Removes the volume of this name if the engine was killed while it made it. An engine makes the folder first and
 * keeps the labels after that, so such a volume has none, and no release of a host would find it. It is empty and
 * no container has it; any other volume is left alone.
 */
export async function removeHalfMadeVolume(
  engine: EngineConnection,
  name: string,
  call: Pick<Call, 'signal'>,
): Promise<void> {
  const found = await engine.find(call, (docker, abortSignal) =>
    docker.getVolume(name).inspect({ abortSignal }),
  );
  if (!found || Object.keys(found.Labels ?? {}).length > 0) return;
  const { Volumes } = await engine.ask(call, (docker, abortSignal) =>
    (docker as unknown as WithOptions).df({ abortSignal }),
  );
  const use = Volumes?.find(({ Name }) => Name === name)?.UsageData;
  if (use?.RefCount !== 0 || use.Size !== 0) return;
  try {
    await engine.find(call, (docker, abortSignal) =>
      docker.getVolume(name).remove({ abortSignal }),
    );
  } catch (error) {
    if (statusOf((error as Error).cause) !== 409) throw error; // A container has just got it.
  }
}
