/** Messages of devices: their checks and their way into the storage, the same for every protocol. */
import type { DeviceStorage, Kept } from './devices.ts';
import { checkValues, type Fault, type FieldValue, faultText } from './fields.ts';
import type { MessageListener } from './solution.ts';

/** What the topic of a message says; undefined: nothing, so that the message has to. */
export interface Addressed {
  readonly device?: string | undefined;
  readonly type?: string | undefined;
}

/** Why a message was not accepted. Nothing of it was stored. */
export interface MessageRefusal {
  readonly refused:
    | 'INVALID'
    /** A value is longer than the API takes. */
    | 'TOO_LONG'
    /** It may be accepted later. */
    | 'NOT_NOW';
  readonly error: string;
  /** With INVALID. */
  readonly faults?: readonly Fault[];
}

/** Stores a message, or refuses it. */
export type TakeMessage = (
  listener: MessageListener,
  body: unknown,
  addressed?: Addressed,
) => Promise<'ACCEPTED' | MessageRefusal>;

const deviceCharacters = 128;

/** Returns the one way into the storage. A failure of the work folder is told to `onError` once. */
export function createIntake(devices: DeviceStorage, onError: (text: string) => void): TakeMessage {
  /** The last failure of the work folder; empty while values can be stored. */
  let storageFault = '';
  return async (listener, body, addressed = {}) => {
    const message = checkMessage(listener, body, addressed);
    if ('refused' in message) return message;
    let kept: Kept;
    try {
      kept = await devices.keep(message.device, message.values, new Date().toISOString());
      storageFault = '';
    } catch (error) {
      const fault = `values cannot be stored in the work folder: ${String(error)}`;
      // Logged once, not for each message.
      if (fault !== storageFault) onError(`${listener.name}: ${fault}`);
      storageFault = fault;
      return { refused: 'NOT_NOW', error: 'Values cannot be stored now; try again later.' };
    }
    if (kept === 'KEPT') return 'ACCEPTED';
    if (kept === 'FULL') {
      return { refused: 'NOT_NOW', error: 'There is no room for more values; try again later.' };
    }
    const { tooLong, maxBytes } = kept;
    const error = `${tooLong} is longer than the API takes: send ${maxBytes} bytes of JSON at most.`;
    return { refused: 'TOO_LONG', error };
  };
}

/** Checks a message. Returns its device and values, or why it is refused. */
function checkMessage(
  { messages }: MessageListener,
  body: unknown,
  addressed: Addressed,
): { readonly device: string; readonly values: ReadonlyMap<string, FieldValue> } | MessageRefusal {
  if (!isObject(body)) return invalid([{ path: '', message: 'a message is a JSON object' }]);
  const faults: Fault[] = [];
  const device = named('device', body, addressed.device, faults);
  if (!isDeviceName(device)) {
    const wanted = `1 to ${deviceCharacters} characters, none of them control characters`;
    faults.push({ path: 'device', message: device === undefined ? 'is missing' : `is ${wanted}` });
  }
  const types = [...messages.keys()];
  const given = named('type', body, addressed.type, faults);
  const type = given ?? (types.length === 1 ? types[0] : undefined);
  const fields = typeof type === 'string' ? messages.get(type) : undefined;
  if (fields === undefined) {
    faults.push({ path: 'type', message: `must be one of ${types.join(', ')}` });
    return invalid(faults);
  }
  const checked = checkValues(fields, body, ['device', 'type']);
  faults.push(...checked.faults);
  if (faults.length > 0 || !isDeviceName(device)) return invalid(faults);
  return { device, values: checked.values };
}

/** What the topic or the message names. */
function named(
  name: 'device' | 'type',
  body: Record<string, unknown>,
  byTopic: string | undefined,
  faults: Fault[],
): unknown {
  const given = Object.hasOwn(body, name) ? body[name] : undefined;
  if (byTopic !== undefined && given !== undefined && given !== byTopic) {
    faults.push({ path: name, message: 'is another one in the topic; leave it out' });
  }
  return byTopic ?? given;
}

function invalid(faults: readonly Fault[]): MessageRefusal {
  return { refused: 'INVALID', error: faultText(faults), faults };
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeviceName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > deviceCharacters) return false;
  return !/[\p{Cc}\p{Surrogate}]/u.test(value);
}
