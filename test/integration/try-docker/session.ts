/** A session in a terminal: steps with their commands and answers, and what is undone at its end. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { until } from '../../harness/eventually.ts';

const say = (text: string) => process.stdout.write(`${text}\n`);

/** What was answered is not what a step promises. */
export class Untrue extends Error {
  override readonly name = 'Untrue';
}

export class Session {
  readonly #undo: { readonly what: string; readonly run: () => Promise<unknown> | unknown }[] = [];
  #steps = 0;
  readonly #begun = performance.now();

  /** Begins a step, in the words of its reader. */
  step(text: string): void {
    this.#steps += 1;
    const seconds = Math.round((performance.now() - this.#begun) / 1000);
    say(`\n${this.#steps}. ${text} (after ${seconds} s)`);
  }

  /** Undone at the end, the last first. */
  atEnd(what: string, run: () => Promise<unknown> | unknown): void {
    this.#undo.push({ what, run });
  }

  /** Runs a command and shows it. Resolves with what it printed; rejects unless it ends with 0. */
  async run(
    command: readonly string[],
    { input = '', env = {}, show = 12 }: { input?: string; env?: object; show?: number } = {},
  ): Promise<string> {
    const [program = '', ...args] = command;
    say(
      `   $ ${command.map((word) => (/^[\w@%+=:,./-]+$/.test(word) ? word : `'${word}'`)).join(' ')}`,
    );
    const child = spawn(program, args, { env: { ...process.env, ...env } });
    let text = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
    child.stdin.end(input);
    const [code] = (await once(child, 'close')) as [number | null];
    if (show > 0) this.tell(text, show);
    if (code !== 0) throw new Untrue(`${program} ended with ${code}: ${text.slice(-1000)}`);
    return text;
  }

  /** Shows the last lines of an answer. */
  tell(text: string, lines = 12): void {
    const all = text.trimEnd().split('\n');
    for (const line of all.slice(-lines)) if (line) say(`     ${line.slice(0, 200)}`);
  }

  /** What the step promises; an untruth ends the session. */
  expect(isSo: boolean, promise: string): void {
    if (!isSo) throw new Untrue(`It is not so that ${promise}.`);
    say(`   ✓ ${promise}`);
  }

  /** The same for what takes a while. */
  async eventually(promise: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
    await until(promise, isSo, 120);
    say(`   ✓ ${promise}`);
  }

  /** Undoes everything, whatever of it fails. */
  async end(): Promise<void> {
    for (const { what, run } of this.#undo.splice(0).reverse()) {
      try {
        await run();
      } catch (error) {
        say(`   ${what} could not be ended: ${String(error)}`);
        process.exitCode = 1;
      }
    }
  }
}
