/** What a loaded solution opens: its message listeners and the server of its input commands. */

import { type DeviceStorage, ValuesUnavailable } from './devices.ts';
import { checkValues, type Fault, faultText, valuesOfQuery } from './fields.ts';
import { type Call, openHttp, type Reply, type Route } from './http.ts';
import { createIntake, isObject, type MessageRefusal, type TakeMessage } from './intake.ts';
import type { Counters, Endpoint } from './protocol.ts';
import type { HttpListener, InputCommand, LoadedSolution, MqttListener } from './solution.ts';
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
const retryAfterSeconds = 10;

type Wanted = Pick<Endpoint, 'kind' | 'protocol' | 'port' | 'path'>;

/** Why a listener closes. */
type Why = 'PAUSED' | 'STOPPING';

interface Server {
  readonly port: number;
  close(cutOff: AbortSignal, why: Why): Promise<void>;
}

/** The listeners of a solution; none is open at first. */
export class Listening {
  readonly #options: ListeningOptions;
  readonly #open = new Map<string, { server: Server; endpoint: Endpoint }>();
  readonly #ports = new Map<string, number>();
  readonly #take: TakeMessage;

  constructor(options: ListeningOptions) {
    this.#options = options;
    this.#take = createIntake(options.devices, options.onError);
  }

  /** Opens the input commands. Rejects with `CannotListen`. */
  async openInputCommands(): Promise<void> {
    const { inputCommandPort: port, inputCommands } = this.#options.solution;
    const wanted = { kind: 'INPUT_COMMANDS', protocol: 'http', port, path: '/' } as const;
    const route = (path: string): Route | undefined => {
      const asked = inputCommands.get(path.slice(1));
      if (asked === undefined) return undefined;
      const { method, guard } = asked;
      return { method, guard, answer: (call) => answerInputCommand(this.#options, asked, call) };
    };
    await this.#openOne(inputCommandsName, wanted, (asked) =>
      this.#openHttp('INPUT_COMMANDS', inputCommandsName, asked, route),
    );
  }

  /** Opens every message listener, or none. A port that was used before is used again. */
  async openMessages(): Promise<void> {
    const { solution } = this.#options;
    const before = new Set(this.#open.keys());
    try {
      for (const listener of solution.listeners) {
        const { name, protocol, port } = listener;
        const path = protocol === 'http' ? listener.path : '/';
        await this.#openOne(name, { kind: 'MESSAGES', protocol, port, path }, (asked) =>
          protocol === 'http'
            ? this.#openHttpMessages(listener, asked)
            : this.#openMqttMessages(listener, asked),
        );
      }
    } catch (error) {
      const opened = [...this.#open.keys()].filter((name) => !before.has(name));
      await this.#close(opened, AbortSignal.abort(), 'STOPPING');
      throw error;
    }
  }

  /** Closes the message listeners; resolves when their accepted messages are done. */
  closeMessages(cutOff: AbortSignal): Promise<void> {
    return this.#close(
      this.#options.solution.listeners.map(({ name }) => name),
      cutOff,
      'PAUSED',
    );
  }

  closeAll(cutOff: AbortSignal): Promise<void> {
    return this.#close([...this.#open.keys()], cutOff, 'STOPPING');
  }

  /** The open endpoints. */
  endpoints(): Endpoint[] {
    return [...this.#open.values()].map(({ endpoint }) => endpoint);
  }

  async #openOne(
    name: string,
    { kind, protocol, port, path }: Wanted,
    open: (port: number) => Promise<Server>,
  ): Promise<void> {
    if (this.#open.has(name)) return;
    const { address, ports, published } = this.#options;
    const asked = this.#ports.get(name) ?? ports.get(name) ?? port;
    try {
      const server = await open(asked);
      this.#ports.set(name, server.port);
      const reached = published.get(name) ?? { address, port: server.port };
      const endpoint = { kind, name, protocol, ...reached, path };
      this.#open.set(name, { server, endpoint });
    } catch (error) {
      throw new CannotListen(refusalToListen(name, address, asked, error));
    }
  }

  #openHttp(
    kind: Endpoint['kind'],
    name: string,
    port: number,
    route: (path: string) => Route | undefined,
  ): Promise<Server> {
    const { address, hostNames, published } = this.#options;
    return openHttp({
      ...{ address, port, hostNames, published: published.get(name), route },
      onReply: (status, error) => this.#count(kind, name, { status, error }),
    });
  }

  #openHttpMessages(listener: HttpListener, port: number): Promise<Server> {
    const { name, path, guard } = listener;
    const route: Route = {
      method: 'POST',
      guard,
      answer: async ({ body }) => {
        const taken = await this.#take(listener, body);
        return taken === 'ACCEPTED' ? { status: 202, body: { accepted: true } } : replyOf(taken);
      },
    };
    return this.#openHttp('MESSAGES', name, port, (asked) => (asked === path ? route : undefined));
  }

  async #openMqttMessages(listener: MqttListener, port: number): Promise<Server> {
    const { address, counters, onError, onRejected } = this.#options;
    // Loaded on demand: a runtime without it does without its memory.
    const { openMqtt } = await import('./mqtt/server.ts');
    return openMqtt({
      ...{ address, port, listener, take: this.#take },
      onOutcome: (error) => {
        if (error === undefined) counters.messagesAccepted += 1;
        else {
          counters.messagesRejected += 1;
          onRejected(`${listener.name}: ${error}`);
        }
      },
      onFailure: (text) => onError(`${listener.name}: ${text}`),
    });
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

  async #close(names: readonly string[], cutOff: AbortSignal, why: Why): Promise<void> {
    await Promise.all(
      names.map(async (name) => {
        await this.#open.get(name)?.server.close(cutOff, why);
        this.#open.delete(name);
      }),
    );
  }
}

function replyOf({ refused, error, faults }: MessageRefusal): Reply {
  switch (refused) {
    case 'INVALID':
      return { status: 400, body: { error, faults } };
    case 'TOO_LONG':
      return { status: 413, body: { error } };
    case 'NOT_NOW':
      return notNow(error);
    default:
      return refused satisfies never;
  }
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
