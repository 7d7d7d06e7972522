/** A zone on two name servers of BIND, a primary and a secondary, on the two loopback addresses. */
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { isIPv6 } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const named = '/usr/sbin/named';
const rndc = '/usr/sbin/rndc';
const addresses = { primary: '127.0.0.1', secondary: '::1' } as const;
const hasAddress = (wanted: string) =>
  Object.values(networkInterfaces()).some((all) => all?.some(({ address }) => address === wanted));
/** Debian's packages bind9 and bind9-utils; BIND listens on addresses of interfaces alone. */
export const hasBind = existsSync(named) && existsSync(rndc) && hasAddress(addresses.secondary);

export interface BindZone {
  readonly zone: string;
  readonly port: number;
  readonly primary: BindServer;
  readonly secondary: BindServer;
  /** May update the zone. */
  readonly key: { readonly name: string; readonly secret: Buffer };
  /** Is known to the servers, and may not. */
  readonly powerlessKey: { readonly name: string; readonly secret: Buffer };
  stop(): Promise<void>;
}

export interface BindServer {
  readonly address: string;
  /** Runs a command of rndc: `retransfer`, `freeze`, `thaw`. */
  control(command: string, ...words: string[]): Promise<void>;
  /** Ends it at once. */
  kill(): Promise<void>;
}

/** Starts both. The secondary is told of no changes: it reads the zone when `control` says so. */
export async function startBind(): Promise<BindZone> {
  const folder = mkdtempSync(join(tmpdir(), 'bind-'));
  const port = 20_000 + (randomBytes(2).readUInt16BE() % 10_000);
  const zone = 'fleet.test';
  const keyOf = (name: string) => ({ name, secret: randomBytes(32) });
  const [key, powerlessKey] = [keyOf('instance-manager'), keyOf('powerless')];
  const keys = [key, powerlessKey].map(
    ({ name, secret }) =>
      `key "${name}" { algorithm hmac-sha256; secret "${secret.toString('base64')}"; };`,
  );
  const zoneFile = [
    '$TTL 30',
    `@ IN SOA ns1.${zone}. hostmaster.${zone}. 1 3600 600 86400 1`,
    '@ IN NS ns1',
    '@ IN NS ns2',
    `ns1 IN A ${addresses.primary}`,
    `ns2 IN AAAA ${addresses.secondary}`,
    'taken IN A 192.0.2.1',
    '',
  ].join('\n');
  const start = async (role: keyof typeof addresses, zoneLines: string[]) => {
    const home = join(folder, role);
    const address = addresses[role];
    const listens = isIPv6(address)
      ? `listen-on { none; }; listen-on-v6 port ${port} { ${address}; };`
      : `listen-on port ${port} { ${address}; }; listen-on-v6 { none; };`;
    mkdirSync(home);
    if (role === 'primary') writeFileSync(join(home, 'zone.db'), zoneFile);
    const configuration = [
      `options { directory "${home}"; pid-file none; ${listens}`,
      '  recursion no; notify no; dnssec-validation no; session-keyfile none; };',
      ...keys,
      `controls { inet ${address} port ${port + 1} allow { any; } keys { "powerless"; }; };`,
      `zone "${zone}" { file "zone.db"; ${zoneLines.join(' ')} };`,
    ];
    writeFileSync(join(home, 'named.conf'), configuration.join('\n'));
    const keyFile = join(home, 'rndc.key');
    writeFileSync(keyFile, keys[1] ?? '', { mode: 0o600 });
    const child = spawn(named, ['-g', '-n', '1', '-c', join(home, 'named.conf')], {
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await untilRunning(child);
    const server: BindServer = {
      address,
      async control(command, ...words) {
        const to = ['-s', address, '-p', String(port + 1), '-k', keyFile];
        await promisify(execFile)(rndc, [...to, command, ...words]);
      },
      kill: () => end(child),
    };
    return server;
  };
  const primary = await start('primary', [
    'type primary;',
    `allow-update { key "${key.name}"; };`,
    'allow-transfer { any; };',
  ]);
  const secondary = await start('secondary', [
    'type secondary;',
    `primaries port ${port} { ${addresses.primary}; };`,
  ]);
  return {
    ...{ zone, port, primary, secondary, key, powerlessKey },
    async stop() {
      await Promise.all([primary.kill(), secondary.kill()]);
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Its log says so. Rejects with the log if it ends before. */
async function untilRunning(child: ChildProcess): Promise<void> {
  let log = '';
  await new Promise<void>((resolve, reject) => {
    child.stderr?.on('data', (chunk) => {
      log += String(chunk);
      if (/\brunning$/m.test(log)) resolve();
    });
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`named ended with ${code}:\n${log}`)));
  });
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}
