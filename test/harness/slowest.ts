/** Lists the ten slowest tests when a run has ended. */
import type { Reporter, TestModule } from 'vitest/node';

const maxListed = 10;

export default class Slowest implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    const tests = modules.flatMap((module) =>
      [...module.children.allTests()].map((test) => ({
        name: `${module.relativeModuleId} > ${test.fullName}`,
        seconds: (test.diagnostic()?.duration ?? 0) / 1000,
      })),
    );
    tests.sort((a, b) => b.seconds - a.seconds);
    console.log('\nThe slowest tests:');
    for (const { name, seconds } of tests.slice(0, maxListed))
      console.log(`${seconds.toFixed(1).padStart(7)} s  ${name}`);
  }
}
