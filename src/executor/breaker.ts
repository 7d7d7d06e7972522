/**
 * The breaker of one compute provider: after some calls in a row to which it did not answer, calls fail at once,
 * except for one now and then that tries it.
 */
import { type Call, DriverError } from '../drivers/driver.ts';
import { TimeLimitReached } from '../timing/time-limit.ts';

/** Calls without an answer after which it opens. */
const openAfter = 3;
/** An open breaker lets one call through each time that this has passed. */
const tryMs = 5_000;

/** The code of an error that says that nothing answers. */
const noAnswer = 'ENGINE_UNREACHABLE';

export class Breaker {
  readonly #provider: string;
  readonly #onOpen: () => void;
  #unanswered = 0;
  #lastCause = '';
  #triedAt = 0;

  /** @param onOpen is called each time that it opens */
  constructor(provider: string, onOpen: () => void) {
    this.#provider = provider;
    this.#onOpen = onOpen;
  }

  /**
   * Runs a call of the driver.
   *
   * @throws DriverError PROVIDER_UNREACHABLE at once while it is open
   */
  async run<T>({ signal }: Pick<Call, 'signal'>, call: () => Promise<T>): Promise<T> {
    this.#admit();
    const onLate = (): void => {
      if (signal.reason instanceof TimeLimitReached) this.#failed('it did not answer in time');
    };
    // The caller gives up at the limit of the verb, whether the driver notices or not.
    signal.addEventListener('abort', onLate, { once: true });
    try {
      const result = await call();
      this.#unanswered = 0;
      return result;
    } catch (error) {
      if (error instanceof DriverError && error.code === noAnswer) this.#failed(error.message);
      else if (!signal.aborted) this.#unanswered = 0; // It answered, with a refusal.
      throw error;
    } finally {
      signal.removeEventListener('abort', onLate);
    }
  }

  /** It answered to somebody else. */
  close(): void {
    this.#unanswered = 0;
  }

  #admit(): void {
    const now = performance.now();
    if (this.#unanswered < openAfter) return;
    if (now - this.#triedAt >= tryMs) {
      this.#triedAt = now;
      return;
    }
    throw new DriverError(
      'PROVIDER_UNREACHABLE',
      `The compute provider ${this.#provider} does not answer: ${this.#lastCause} It is tried again every ${tryMs / 1000} s; checkComputeProvider asks it now.`,
      { retryable: true },
    );
  }

  #failed(cause: string): void {
    this.#unanswered += 1;
    this.#lastCause = /[.!?]$/.test(cause) ? cause : `${cause}.`;
    if (this.#unanswered !== openAfter) return;
    this.#triedAt = performance.now();
    this.#onOpen();
  }
}
