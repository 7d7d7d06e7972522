/**
 * The last values of devices, if the API stores them (CLOUD): an outbox in the work folder that is
 * delivered to the API, and earlier values that the API has.
 */
import { withTimeLimit } from '../timing/time-limit.ts';
import type { Api } from './api.ts';
import { createDelivery } from './delivery.ts';
import { type DeviceStorage, type LastValue, ValuesUnavailable } from './devices.ts';
import type { Log } from './log.ts';
import type { Counters, LearnedValue } from './protocol.ts';
import { type OutboxQuota, type OutboxValue, ValueOutbox } from './value-outbox.ts';

export interface CloudDevicesOptions {
  readonly folder: string;
  readonly run: string;
  readonly api: Pick<Api, 'limits' | 'reportDeviceValues' | 'lastValues'>;
  readonly counters: Pick<Counters, 'valuesRefused'>;
  readonly log: Pick<Log, 'warn'>;
  /** Of the outbox. */
  readonly quota?: OutboxQuota;
}

/** Devices whose earlier values are cached; above this number they are requested again. */
const maxLearned = 10_000;
/** An input command waits so long for the API; it then answers with the values that are here. */
const learnMilliseconds = 10_000;

/** Opens the outbox, and delivers its content. */
export async function openCloudDevices(options: CloudDevicesOptions): Promise<DeviceStorage> {
  const { api, counters, log } = options;
  /** Devices of which the outbox has all values that the API has. */
  const learned = new Set<string>();
  const outbox = await ValueOutbox.open(options.folder, options.run, {
    onEvicted: (device) => learned.delete(device),
    quota: options.quota,
  });
  /** Requests to the API that are not answered yet, by device. */
  const learning = new Map<string, Promise<readonly LearnedValue[]>>();
  let isClosed = false;
  const delivery = createDelivery<OutboxValue>({
    queue: {
      get isEmpty() {
        return outbox.isEmpty;
      },
      head: (most) => outbox.head(most),
      delivered: (values) => outbox.delivered(values),
      setAside(value, reason) {
        outbox.setAside(value);
        counters.valuesRefused += 1;
        const { device, field } = value;
        log.warn(
          `The API refused the value of ${field} of device ${device}; it is set aside until the next ` +
            `run. ${reason.slice(0, 500)}`,
        );
      },
    },
    limits: () => {
      const told = api.limits();
      return told && { items: told.valuesPerReport, bytes: told.reportBytes };
    },
    send: (values) =>
      api.reportDeviceValues(
        values.map(({ takenIn, bytes, ...value }) => value),
        values[0]?.takenIn ?? options.run,
      ),
  });
  if (!outbox.isEmpty) delivery.wake();

  /** Requests the values of a device from the API, once; concurrent callers share the request. */
  async function learn(device: string): Promise<readonly LearnedValue[]> {
    if (learned.has(device)) return [];
    let values = learning.get(device);
    if (!values) {
      values = requestAll(device).finally(() => learning.delete(device));
      learning.set(device, values);
    }
    return withTimeLimit(learnMilliseconds, values, () => new Error('The API takes too long.'));
  }

  async function requestAll(device: string): Promise<readonly LearnedValue[]> {
    const values = await api.lastValues(device);
    if (isClosed) return values;
    if (learned.size >= maxLearned) learned.clear();
    try {
      if (values.length > 0) learned.add(device);
      outbox.learn(device, values);
    } catch {
      // They cannot be stored now: the next command requests them again.
      learned.delete(device);
    }
    return values;
  }

  return {
    async keep(device, values, at) {
      const maxBytes = api.limits()?.valueBytes ?? Number.POSITIVE_INFINITY;
      for (const [field, value] of values) {
        const isTooLong = Buffer.byteLength(JSON.stringify(value)) > maxBytes;
        if (isTooLong) return { tooLong: field, maxBytes };
      }
      if (!outbox.put(device, values, at)) return 'FULL';
      delivery.wake();
      return 'KEPT';
    },
    async last(device) {
      const known = await learn(device).catch(() => null);
      // The outbox may have had no room for all that the API has.
      const values = [...(known ?? []), ...outbox.last(device)];
      // Without the API: the values that were accepted here.
      if (values.length === 0 && known === null) {
        throw new ValuesUnavailable('The API cannot be asked for this device now.');
      }
      if (values.length === 0) return undefined;
      return new Map(
        values.map(({ field, value, at }): [string, LastValue] => [field, { value, at }]),
      );
    },
    flushed: () => delivery.flushed(),
    close() {
      isClosed = true;
      delivery.close();
      outbox.close();
    },
  };
}
