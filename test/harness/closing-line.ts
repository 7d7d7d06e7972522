/** Prints `N passed, N failed, N skipped`, alone on a line, when a run has ended: CI reads it. */
import type { Reporter, SerializedError, TestModule } from 'vitest/node';

export default class ClosingLine implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly SerializedError[]): void {
    const counts = { passed: 0, failed: errors.length, skipped: 0, pending: 0 };
    for (const module of modules) {
      for (const test of module.children.allTests()) counts[test.result().state] += 1;
      counts.failed += module.errors().length;
    }
    const { passed, failed, skipped, pending } = counts;
    console.log(`\n${passed} passed, ${failed} failed, ${skipped + pending} skipped`);
  }
}
