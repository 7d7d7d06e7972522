/** The last values of devices that the API has, as input commands are answered with them. */
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Api } from '../../src/runtime/api.ts';
import { openCloudDevices } from '../../src/runtime/cloud-devices.ts';
import type { LearnedValue } from '../../src/runtime/protocol.ts';
import { defaultQuota } from '../../src/runtime/value-outbox.ts';
import { temporaryFolder } from './program.ts';

afterEach(() => void vi.useRealTimers());

/** Storage before an API that answers with `lastValues`, and takes no reports. */
async function open(lastValues: Api['lastValues']) {
  const devices = await openCloudDevices({
    folder: await temporaryFolder(),
    run: 'run-1',
    api: { limits: () => undefined, reportDeviceValues: () => Promise.reject(), lastValues },
    counters: { valuesRefused: 0 },
    log: { warn: () => {} },
    quota,
  });
  onTestFinished(() => devices.close());
  return devices;
}

const at = '2026-01-01T00:00:00.000Z';
const moreThanFit = 20;
const quota = { ...defaultQuota, settled: { values: 10, bytes: 1_000_000 } };
const values = (count: number): LearnedValue[] =>
  Array.from({ length: count }, (_, n) => ({ field: `field-${n}`, value: 'older', at }));

test('commands that ask for one device concurrently share one request, and later ones need none', async () => {
  const lastValues = vi.fn(async (device: string) => (device === 'bed' ? values(3) : []));
  const devices = await open(lastValues);
  const answers = await Promise.all(Array.from({ length: 20 }, () => devices.last('bed')));
  for (const answer of answers) expect(answer?.size).toBe(3);
  expect((await devices.last('bed'))?.size).toBe(3);
  expect(lastValues).toHaveBeenCalledOnce();
  expect(await devices.last('unknown')).toBeUndefined();
});

test('answers are complete, though the outbox has no room for all values of the API', async () => {
  const devices = await open(async (device) => values(device === 'bed' ? 3 : moreThanFit));
  await devices.keep('wide', new Map([['field-7', 'newer']]), at);
  expect((await devices.last('bed'))?.size).toBe(3);
  for (let times = 0; times < 2; times += 1) {
    const answer = await devices.last('wide');
    expect(answer?.size).toBe(moreThanFit);
    expect(answer?.get('field-7')?.value).toBe('newer');
  }
  // Its values were deleted to make room.
  expect((await devices.last('bed'))?.size).toBe(3);
});

test('an API that does not answer holds an input command up for 10 s at most', async () => {
  const devices = await open(() => new Promise(() => {}));
  await devices.keep('bed', new Map([['t', 1]]), at);
  vi.useFakeTimers();
  const known = devices.last('bed');
  const unknown = expect(devices.last('other')).rejects.toThrow('cannot be asked');
  await vi.advanceTimersByTimeAsync(10_000);
  expect((await known)?.get('t')?.value).toBe(1);
  await unknown;
});
