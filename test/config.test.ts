/** The environment: defaults, and the one line that a wrong value gets. */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { ConfigError, helpText, parseConfig } from '../src/config.ts';
import { defaultDeadlines } from '../src/lifecycle/change.ts';

test('needs nothing', () => {
  expect(parseConfig({})).toMatchObject({
    ...{ port: 4000, host: '127.0.0.1', dnsZone: 'instances.test', dnsPort: 8053 },
    ...{ heartbeatSeconds: 10, settleSeconds: 10, sampleData: true, ephemeral: false },
    deadlines: defaultDeadlines,
  });
});

test('reads what is set; empty is unset', () => {
  const config = parseConfig(
    {
      ...{ PORT: '0', ALLOWED_HOSTS: ' A.test, b.test ', LOG_LEVEL: '', HEALTH_CHECK_SECONDS: '5' },
      ...{ INSTANCE_STOPPING_DEADLINE_SECONDS: '0.5', HOST_REMOVAL_DEADLINE_SECONDS: '7' },
    },
    ['--ephemeral'],
  );
  expect(config).toMatchObject({
    ...{ port: 0, allowedHosts: ['a.test', 'b.test'], logLevel: 'info', ephemeral: true },
    deadlines: { healthCheck: 5, removal: 7, instance: { STOPPING: 0.5 } },
  });
});

test.each([
  [{ DATABASE_URL: 'postgres://h/d' }, false],
  [{ NODE_ENV: 'production' }, false],
  [{ HOST: '0.0.0.0', ALLOW_INSECURE_HTTP: '1' }, false],
  [{ NODE_ENV: 'production', SAMPLE_DATA: 'on' }, true],
  [{ SAMPLE_DATA: 'off' }, false],
  [{ HOST: '127.8.9.10' }, true],
])('sample data with %j: %s', (environment, sampleData) => {
  expect(parseConfig(environment).sampleData).toBe(sampleData);
});

test.each([
  ['10.0.0.2', { host: '10.0.0.2', port: 53 }],
  ['ns1.example:5353', { host: 'ns1.example', port: 5353 }],
  ['[fd00::2]:5353', { host: 'fd00::2', port: 5353 }],
  ['fd00::2', { host: 'fd00::2', port: 53 }],
])('DNS_SERVER=%s', (given, dnsServer) => {
  expect(parseConfig({ DNS_SERVER: given })).toMatchObject({ dnsServer });
});

test.each([
  [{ PORT: 'x' }, 'PORT takes a whole number from 0 to 65535, not "x".'],
  [{ PORT: '65536' }, 'PORT takes a whole number from 0 to 65535, not "65536".'],
  [{ PORT: '-1' }, 'PORT takes a whole number from 0 to 65535, not "-1".'],
  [
    { HEALTH_CHECK_SECONDS: '0' },
    'HEALTH_CHECK_SECONDS takes seconds, from 0.1 to 86400, not "0".',
  ],
  [{ LOG_LEVEL: 'loud\n' }, /^LOG_LEVEL takes one of trace, debug, .*, not "loud\\n"\.$/],
  [{ ALLOW_INSECURE_HTTP: 'yes' }, 'ALLOW_INSECURE_HTTP takes 1 or 0, not "yes".'],
  [{ ADMIN_TOKEN: 'short' }, 'ADMIN_TOKEN takes 32 to 512 characters without white space.'],
  [{ SECRETS_KEY: 'short' }, /^SECRETS_KEY takes 32 bytes in base64 [^"]*\.$/],
  [{ DATABASE_URL: 'mysql://u:secret@h/d' }, /^DATABASE_URL takes postgres:\/\/[^,]*\.$/],
  [{ DNS_ZONE: 'a..b' }, 'DNS_ZONE takes a domain name in lower case, not "a..b".'],
  [{ DNS_PROVIDER: 'rfc2136' }, /^DNS_PROVIDER=rfc2136 takes DNS_SERVER, DNS_TSIG_NAME and/],
  [{ DNS_SERVER: 'ns1:x' }, /^DNS_SERVER takes an IP address or a host name, with a port/],
  [{ DNS_SERVER: '[fe80::x]:53' }, /^DNS_SERVER takes an IP address or a host name/],
  [{ DNS_TSIG_SECRET: 'c2hvcnQ=' }, 'DNS_TSIG_SECRET takes 16 bytes or more in base64.'],
  [{ HOST: 'example.com' }, 'HOST takes an IP address or localhost, not "example.com".'],
  [{ HOST: '0.0.0.0' }, /^HOST takes a loopback address .* ALLOW_INSECURE_HTTP=1\.$/],
  [{ TLS_CERT_FILE: 'cert.pem' }, /^TLS_CERT_FILE and TLS_KEY_FILE take two PEM files/],
  [{ PUBLIC_URL: 'https://a.test/path' }, /^PUBLIC_URL takes an http or https address without/],
  [{ INSTANCE_RUNNING_DEADLINE_SECONDS: '5' }, /^"INSTANCE_RUNNING_DEADLINE_SECONDS" is no deadl/],
])('%j stops the start', (environment, message) => {
  expect(() => parseConfig(environment)).toThrow(ConfigError);
  expect(() => parseConfig(environment)).toThrow(message);
});

test('an unknown option names those that there are', () => {
  expect(() => parseConfig({}, ['--fast'])).toThrow(
    '"--fast" is no option; it takes --help, --ephemeral, --link, --rotate-secrets.',
  );
});

describe('--help', () => {
  test('has every variable with its default', () => {
    const help = helpText();
    for (const line of ['PORT=4000', 'HOST=127.0.0.1', 'DNS_ZONE=instances.test', 'DATABASE_URL'])
      expect(help).toMatch(new RegExp(`^  ${line}$`, 'm'));
    for (const [state, seconds] of Object.entries(defaultDeadlines.host))
      expect(help).toContain(`HOST_${state}_DEADLINE_SECONDS=${seconds}`);
  });
});

test('the servers of compose.yaml take settings that there are', () => {
  const file = (name: string) => readFileSync(new URL(`../${name}`, import.meta.url), 'utf8');
  const [, block = ''] =
    /^x-server:[\s\S]*?\n {2}environment:\n([\s\S]*?)\n\nservices:/m.exec(file('compose.yaml')) ??
    [];
  const environment = Object.fromEntries(
    [...block.matchAll(/^ {4}([A-Z_]+): (.*)$/gm)].map(([, name = '', value = '']) => [
      name,
      value
        .replaceAll(/\$\{SECRETS_KEY:\?[^}]*\}/g, Buffer.alloc(32).toString('base64'))
        .replaceAll(/\$\{[A-Z_]+:-([^}]*)\}/g, '$1')
        .replaceAll(/\$\{[A-Z_]+:\?[^}]*\}/g, 'a'.repeat(40))
        .replaceAll('"', ''),
    ]),
  );
  const ofImage = [...file('Dockerfile.server').matchAll(/\b([A-Z_]+)=\S+/g)].map(
    ([, name]) => name,
  );
  for (const name of [...Object.keys(environment), ...ofImage.filter((name) => name !== 'BASE')])
    expect(file('docs/configuration.md')).toContain(`| \`${name}\` |`);
  expect(parseConfig(environment)).toMatchObject({
    host: '0.0.0.0',
    databaseUrl: expect.stringContaining('@postgres:5432/'),
  });
});
