/** The last values of devices that the API has, as input commands are answered with them. */
import { join } from 'node:path';
import Database from 'libsql';
import { afterEach, expect, onTestFinished, test, vi } from 'vitest';
import type { Api } from '../../src/runtime/api.ts';
import { type CloudDevicesOptions, openCloudDevices } from '../../src/runtime/cloud-devices.ts';
import {
  type LearnedValue,
  RequestRejected,
  type RuntimeLimits,
} from '../../src/runtime/protocol.ts';
import { defaultQuota, outboxFile } from '../../src/runtime/value-outbox.ts';
import { temporaryFolder } from './program.ts';

afterEach(() => void vi.useRealTimers());

/** Storage before an API that answers with `lastValues`, and takes no reports. */
async function open(lastValues: Api['lastValues'], more: Partial<CloudDevicesOptions> = {}) {
  const devices = await openCloudDevices({
    folder: await temporaryFolder(),
    run: 'run-1',
    api: { limits: () => undefined, reportDeviceValues: () => Promise.reject(), lastValues },
    counters: { valuesRefused: 0 },
    log: { warn: () => {} },
    quota,
    ...more,
  });
  onTestFinished(() => devices.close());
  return devices;
}

/** Lets writes of the outbox fail, as a full disk does. Returns a function that ends it. */
function failWrites(folder: string, write: 'insert' | 'update'): () => void {
  const database = new Database(join(folder, outboxFile));
  database.exec(
    `create trigger fails before ${write} on reported_values
       begin select raise(abort, 'the disk is full'); end`,
  );
  return () => {
    database.exec('drop trigger fails');
    database.close();
  };
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

test('values of the API are answered while they cannot be stored here', async () => {
  const folder = await temporaryFolder();
  const devices = await open(async () => values(3), { folder });
  const succeed = failWrites(folder, 'insert');
  for (let times = 0; times < 2; times += 1) expect((await devices.last('bed'))?.size).toBe(3);
  succeed();
  expect((await devices.last('bed'))?.size).toBe(3);
});

test('a value that the API refuses is set aside once that can be written', async () => {
  const folder = await temporaryFolder();
  const counters = { valuesRefused: 0 };
  let reports = 0;
  const api = {
    limits: () => ({ reportBytes: 1_000, valuesPerReport: 10, valueBytes: 100 }) as RuntimeLimits,
    async reportDeviceValues() {
      reports += 1;
      throw new RequestRejected('BAD_USER_INPUT', 'no');
    },
    lastValues: async () => [],
  };
  const devices = await open(api.lastValues, { folder, api, counters });
  const succeed = failWrites(folder, 'update');
  await devices.keep('bed', new Map([['t', 1]]), at);
  await expect.poll(() => reports).toBeGreaterThanOrEqual(4);
  expect(counters.valuesRefused).toBe(0);
  succeed();
  await devices.flushed();
  expect(counters.valuesRefused).toBe(1);
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
