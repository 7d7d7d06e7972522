/** The client process: crowds by name, and a listener of bare NOTIFYs. */
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { now } from './clock.ts';
import { type Counted, Crowd, type CrowdOptions, type Wanted } from './crowd.ts';
import { answerWith } from './process.ts';

const crowds = new Map<string, Crowd>();
const heard: number[] = [];
let listener: ReturnType<typeof postgres> | null = null;

function crowd(name: string): Crowd {
  const found = crowds.get(name);
  if (!found) throw new Error(`There is no crowd ${name}.`);
  return found;
}

const tasks = {
  async open(name: string, options: CrowdOptions): Promise<void> {
    const opened = new Crowd(options);
    crowds.set(name, opened);
    await opened.open();
  },
  subscribe: (name: string, wanted: Wanted): void => crowd(name).subscribe(wanted),
  complete: (name: string): void => crowd(name).complete(),
  reset: (name: string): void => crowd(name).reset(),
  reached: (name: string, count: number, seconds: number): Promise<number> =>
    crowd(name).reached(count, seconds),
  counted: (name: string): Counted => crowd(name).counted(),
  stamp: (name: string): void => crowd(name).stamp(),
  stamps: (name: string): Float64Array => crowd(name).stamps(),
  watchOrder: (name: string): void => crowd(name).watchOrder(),
  stall: (name: string): void => crowd(name).stall(),
  sample: (name: string): string => crowd(name).sample(),
  async leave(name: string): Promise<void> {
    crowd(name).leave();
    crowds.delete(name);
    await sleep(50);
  },
  /** Resolves when no event has come for a while. */
  async quiet(name: string): Promise<void> {
    for (let before = -1; before !== crowd(name).counted().frames; ) {
      before = crowd(name).counted().frames;
      await sleep(150);
    }
  },
  /** Listens on a channel whose payloads are numbers. */
  async listen(url: string, channel: string): Promise<void> {
    listener = postgres(url, { max: 1, onnotice: () => {} });
    await listener.listen(channel, (payload) => heard.push(Number(payload), now()));
  },
  /** What was heard since the last call, as pairs of number and moment. */
  heard: (): Float64Array => Float64Array.from(heard.splice(0)),
  async unlisten(): Promise<void> {
    await listener?.end({ timeout: 1 });
  },
};

export type Clients = typeof tasks;

answerWith(tasks);
