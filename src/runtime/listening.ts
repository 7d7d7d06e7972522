/** What a loaded solution opens: its message listeners and the server of its input commands. */

import { type DeviceStorage, type Kept, ValuesUnavailable } from './devices.ts';
import { checkValues, type Fault, type FieldValue, faultText, valuesOfQuery } from './fields.ts';
import { type Call, type HttpServer, openHttp, type Reply, type Route } from './http.ts';
import type { Counters, Endpoint } from './protocol.ts';
import type { InputCommand, LoadedSolution, MessageListener } from './solution.ts';
import type { Published } from './start-message.ts';

/** A listener could not be opened; the message is for the operator. */
export class CannotListen extends Error {
  override readonly name = 'CannotListen';
}

export interface ListeningOptions {
  readonly address: string;
  readonly hostNames: readonly string[];
  /** Ports that were told beforehand, by the names of listeners. */
  readonly ports: ReadonlyMap<string, number>;
  readonly published: ReadonlyMap<string, Published>;
  readonly solution: LoadedSolution;
  readonly devices: DeviceStorage;
  readonly counters: Counters;
  /** The answer to the input command STATUS. */
  readonly status: () => object;
  /** Called with an internal error, for the log. */
  readonly onError: (text: string) => void;
  /** Called with a refused message, for the log. */
  readonly onRejected: (text: string) => void;
}

const inputCommandsName = 'input-commands';
const deviceCharacters = 128;
const retryAfterSeconds = 10;

interface Wanted {
  readonly kind: Endpoint['kind'];
  readonly port: number;
  readonly path: string;
}

/** The listeners of a solution; none is open at first. */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #open = new Map<string, { server: HttpServer; endpoint: Endpoint }>();
  readonly #ports = new Map<string, number>();
  /** The last failure of the work folder; empty while values can be stored. */
  #storageFault = '';

  constructor(options: ListeningOptions) {
    this.#options = options;
  }

  /** Opens the input commands. Rejects with `CannotListen`. */
  async openInputCommands(): Promise<void> {
    const { inputCommandPort: port, inputCommands } = this.#options.solution;
    const wanted = { kind: 'INPUT_COMMANDS', port, path: '/' } as const;
    await this.#openOne(inputCommandsName, wanted, (path) => {
      const asked = inputCommands.get(path.slice(1));
      if (asked === undefined) return undefined;
      const { method, guard } = asked;
      return { method, guard, answer: (call) => answerInputCommand(this.#options, asked, call) };
    });
  }

  /** Opens every message listener, or none. A port that was used before is used again. */
  async openMessages(): Promise<void> {
    const { solution } = this.#options;
    const before = new Set(this.#open.keys());
    try {
      for (const listener of solution.listeners) {
        const { name, port, path, guard } = listener;
        const route: Route = {
          method: 'POST',
          guard,
          answer: ({ body }) => this.#takeMessage(listener, body),
        };
        await this.#openOne(name, { kind: 'MESSAGES', port, path }, (asked) =>
          asked === path ? route : undefined,
        );
      }
    } catch (error) {
      const opened = [...this.#open.keys()].filter((name) => !before.has(name));
      await this.#close(opened, AbortSignal.abort());
      throw error;
    }
  }

  /** Closes the message listeners; resolves when their accepted messages are done. */
  closeMessages(cutOff: AbortSignal): Promise<void> {
    return this.#close(
      this.#options.solution.listeners.map(({ name }) => name),
      cutOff,
    );
  }

  closeAll(cutOff: AbortSignal): Promise<void> {
    return this.#close([...this.#open.keys()], cutOff);
  }

  /** The open endpoints. */
  endpoints(): Endpoint[] {
    return [...this.#open.values()].map(({ endpoint }) => endpoint);
  }

  async #openOne(
    name: string,
    { kind, port, path }: Wanted,
    route: (path: string) => Route | undefined,
  ): Promise<void> {
    if (this.#open.has(name)) return;
    const { address, hostNames, ports } = this.#options;
    const asked = this.#ports.get(name) ?? ports.get(name) ?? port;
    const published = this.#options.published.get(name);
    try {
      const server = await openHttp({
        ...{ address, port: asked, hostNames, published, route },
        onReply: (status, error) => this.#count(kind, name, { status, error }),
      });
      this.#ports.set(name, server.port);
      const reached = published ?? { address, port: server.port };
      const endpoint = { kind, name, protocol: 'http', ...reached, path } as const;
      this.#open.set(name, { server, endpoint });
    } catch (error) {
      throw new CannotListen(refusalToListen(name, address, asked, error));
    }
  }

  async #takeMessage(listener: MessageListener, body: unknown): Promise<Reply> {
    const message = checkMessage(listener, body);
    if ('status' in message) return message;
    const at = new Date().toISOString();
    let kept: Kept;
    try {
      kept = await this.#options.devices.keep(message.device, message.values, at);
      this.#storageFault = '';
    } catch (error) {
      const fault = `values cannot be stored in the work folder: ${String(error)}`;
      // Logged once, not for each message.
      if (fault !== this.#storageFault) this.#options.onError(`${listener.name}: ${fault}`);
      this.#storageFault = fault;
      return notNow('Values cannot be stored now; try again later.');
    }
    if (kept === 'KEPT') return { status: 202, body: { accepted: true } };
    if (kept === 'FULL') return notNow('There is no room for more values; try again later.');
    const { tooLong, maxBytes } = kept;
    const error = `${tooLong} is longer than the API takes: send ${maxBytes} bytes of JSON at most.`;
    return { status: 413, body: { error } };
  }

  #count(
    kind: Endpoint['kind'],
    name: string,
    { status, error }: { status: number; error: string | undefined },
  ): void {
    const { counters, onError, onRejected } = this.#options;
    if (status === 500) onError(`${name}: ${error ?? status}`);
    if (kind === 'INPUT_COMMANDS') {
      if (status < 400) counters.inputCommands += 1;
    } else if (status === 202) {
      counters.messagesAccepted += 1;
    } else {
      counters.messagesRejected += 1;
      onRejected(`${name}: ${status} ${error ?? ''}`);
    }
  }

  async #close(names: readonly string[], cutOff: AbortSignal): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        await this.#open.get(name)?.server.close(cutOff);
        this.#open.delete(name);
      }),
    );
  }
}

/** Checks a message. Returns its device and values, or the reply that refuses it. */
function checkMessage(
  listener: MessageListener,
  body: unknown,
): { readonly device: string; readonly values: ReadonlyMap<string, FieldValue> } | Reply {
  if (!isObject(body)) return refuse([{ path: '', message: 'a message is a JSON object' }]);
  const faults: Fault[] = [];
  const device = Object.hasOwn(body, 'device') ? body.device : undefined;
  if (!isDeviceName(device)) {
    const wanted = `1 to ${deviceCharacters} characters, none of them control characters`;
    faults.push({ path: 'device', message: device === undefined ? 'is missing' : `is ${wanted}` });
  }
  const types = [...listener.messages.keys()];
  const given = Object.hasOwn(body, 'type') ? body.type : undefined;
  const type = given ?? (types.length === 1 ? types[0] : undefined);
  const fields = typeof type === 'string' ? listener.messages.get(type) : undefined;
  if (fields === undefined) {
    faults.push({ path: 'type', message: `must be one of ${types.join(', ')}` });
    return refuse(faults);
  }
  const checked = checkValues(fields, body, ['device', 'type']);
  faults.push(...checked.faults);
  if (faults.length > 0 || !isDeviceName(device)) return refuse(faults);
  return { device, values: checked.values };
}

function notNow(error: string): Reply {
  return { status: 503, headers: { 'retry-after': String(retryAfterSeconds) }, body: { error } };
}

async function answerInputCommand(
  options: ListeningOptions,
  { method, parameters, answer }: InputCommand,
  call: Call,
): Promise<Reply> {
  const faults: Fault[] = [];
  let given: Record<string, unknown>;
  if (method === 'GET') {
    const read = valuesOfQuery(parameters, call.query);
    given = read.given;
    faults.push(...read.faults);
  } else {
    const body = call.body ?? {};
    if (!isObject(body)) return refuse([{ path: '', message: 'parameters are a JSON object' }]);
    given = body;
  }
  const { values, faults: found } = checkValues(parameters, given);
  faults.push(...found);
  if (faults.length > 0) return refuse(faults);
  switch (answer.kind) {
    case 'STATUS':
      return { status: 200, body: options.status() };
    case 'ECHO':
      return { status: 200, body: { parameters: Object.fromEntries(values) } };
    case 'SETTING': {
      const value = options.solution.shownSettings.get(answer.setting) ?? null;
      return { status: 200, body: { setting: answer.setting, value } };
    }
    case 'DEVICE_VALUES': {
      const device = String(values.get(answer.parameter));
      return await answerValues(options, device);
    }
    default:
      return answer satisfies never;
  }
}

async function answerValues(
  { devices, onError }: ListeningOptions,
  device: string,
): Promise<Reply> {
  try {
    const last = await devices.last(device);
    return last === undefined
      ? { status: 404, body: { error: 'This device has sent nothing yet.' } }
      : { status: 200, body: { device, values: Object.fromEntries(last) } };
  } catch (error) {
    if (error instanceof ValuesUnavailable) return notNow(error.message);
    onError(`${inputCommandsName}: values cannot be read in the work folder: ${String(error)}`);
    return notNow('Values cannot be read now; try again later.');
  }
}

function refuse(faults: readonly Fault[]): Reply {
  return { status: 400, body: { error: faultText(faults), faults } };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isDeviceName(value: unknown): value is string {
  if (typeof value !== 'string' || value === '' || value.length > deviceCharacters) return false;
  return !/[\p{Cc}\p{Surrogate}]/u.test(value);
}

function refusalToListen(name: string, address: string, port: number, error: unknown): string {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const place = `${name} cannot listen on ${address}:${port}`;
  switch (code) {
    case 'EADDRINUSE':
      return (
        `${place}: the port is taken by another program (EADDRINUSE). ` +
        'End that program, or publish a solution version with another port, or 0 for any free one.'
      );
    case 'EACCES':
      return `${place}: the port needs privileges (EACCES). Use one from 1024 on.`;
    case 'EADDRNOTAVAIL':
      return `${place}: the address is not of this host (EADDRNOTAVAIL). Restart the host.`;
    default:
      return `${place}: ${error instanceof Error ? error.message : String(error)}`;
  }
}
