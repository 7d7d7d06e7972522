/** Random commands, by a seed, from several callers at once. */
import type { Client, HostCommand, InstanceCommand } from './client.ts';

/** Numbers from 0 to 1, the same for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function pick<Item>(random: () => number, items: readonly Item[]): Item {
  return items[Math.floor(random() * items.length)] as Item;
}

const instanceCommands: readonly (readonly [InstanceCommand, object])[] = [
  ['deployInstance', {}],
  ['startInstance', {}],
  ['startInstance', {}],
  ['pauseInstance', {}],
  ['resumeInstance', {}],
  ['stopInstance', {}],
  ['stopInstance', { force: true }],
  ['restartInstance', {}],
  ['restartInstance', {}],
];
const hostCommands: readonly (readonly [HostCommand, object])[] = [
  ['deployHost', {}],
  ['deployHost', {}],
  ['restartHost', {}],
  ['restartContainer', {}],
  ['removeHost', { force: true }],
];

export interface Load {
  /** Commands that were accepted; the rest was refused, or had no answer. */
  readonly accepted: number;
  readonly sent: number;
  /** Returns when the last command has its answer. */
  stop(): Promise<void>;
}

export interface LoadOptions {
  /** The callers; each has one command under way at a time, and they may be of several nodes. */
  readonly clients: readonly Client[];
  readonly instances: readonly string[];
  readonly hosts: readonly string[];
  readonly random: () => number;
  /** From an answer to the next command of a caller; none, unless it is given. */
  readonly pauseMs?: number;
  /** What else is sent to instances, beside the commands of every fleet. */
  readonly more?: readonly (readonly [InstanceCommand, object])[];
}

/** Sends commands until it is stopped. A server that dies or a database that does is no fault here. */
export function startLoad({
  clients,
  instances,
  hosts,
  random,
  more = [],
  pauseMs = 0,
}: LoadOptions): Load {
  const ofInstances = [...instanceCommands, ...more];
  let over = false;
  let accepted = 0;
  let sent = 0;
  const callers = clients.map(async (client) => {
    while (!over) {
      sent += 1;
      try {
        const [instance, [field, input]] = [pick(random, instances), pick(random, ofInstances)];
        const [host, [hostField, hostMore]] = [pick(random, hosts), pick(random, hostCommands)];
        const outcome =
          random() < 0.9
            ? await client.command(field, instance, input)
            : await client.hostCommand(hostField, host, hostMore);
        if (outcome.__typename.endsWith('CommandAccepted')) accepted += 1;
        if (pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, pauseMs));
      } catch {
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    }
  });
  return {
    get accepted() {
      return accepted;
    },
    get sent() {
      return sent;
    },
    async stop() {
      over = true;
      await Promise.all(callers);
    },
  };
}
