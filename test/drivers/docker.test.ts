import { describe } from 'vitest';
import { hasDocker } from '../harness/docker-engine.ts';
import { describeDriver } from './contract.ts';
import { startDockerSetup } from './docker-setup.ts';

describe.skipIf(!hasDocker)('Docker', () => {
  describeDriver('Docker', async () => {
    const setup = await startDockerSetup();
    const driver = setup.open();
    return {
      driver,
      hasAddressPerHost: false,
      reopen: async () => setup.open(),
      exitRuntime: ({ instanceId }, exitCode) =>
        setup.run(
          instanceId,
          `fs.writeFileSync('exit-code', '${exitCode}'); process.kill(1, 'SIGUSR2')`,
        ),
      countRuntimes: setup.countRuntimes,
      async close() {
        await driver.close();
        await setup.close();
      },
    };
  });
});
