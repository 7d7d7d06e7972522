import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkDnsName, checkZoneName } from '../../src/lifecycle/dns-name.ts';

const zone = 'instances.test';

describe('checkDnsName', () => {
  test.each([
    `greenhouse-1.${zone}`,
    `a.${zone}`,
    `1.2.${zone}`,
    `xn--gewchshaus-v5a.${zone}`,
    `${'a'.repeat(63)}.${zone}`,
    `${`${'a'.repeat(59)}.`.repeat(3)}${'b'.repeat(58)}.${zone}`,
  ])('%s is fine', (name) => {
    expect(checkDnsName(name, zone)).toEqual([]);
  });

  test.each([
    ['', /empty/],
    ['.', /empty/],
    [zone, /zone itself/],
    [`${zone}.`, /final dot/],
    ['host-1', /must end with "\.instances\.test"/],
    ['host-1.example.org', /outside the zone/],
    [`other${zone}`, /outside the zone/],
    [`ns.${zone}`, /name server's own/],
    [`Host.${zone}`, /lower case/],
    [`host.${zone}.`, /final dot/],
    [`a..${zone}`, /label is empty/],
    [`.${zone}`, /label is empty/],
    [`-a.${zone}`, /start or end with a hyphen/],
    [`a-.${zone}`, /start or end with a hyphen/],
    [`a_b.${zone}`, /letters a to z/],
    [`*.${zone}`, /letters a to z/],
    [`gewächshaus.${zone}`, /letters a to z/],
    [`a b.${zone}`, /letters a to z/],
    [`a\n.${zone}`, /letters a to z/],
    [`${'a'.repeat(64)}.${zone}`, /64 characters: at most 63/],
    [`${'a.'.repeat(120)}${zone}`, /at most 253 characters/],
  ])('%j is not', (name, problem) => {
    expect(checkDnsName(name, zone).join('\n')).toMatch(problem);
  });

  test('every problem at once', () => {
    const problems = checkDnsName(`-Green_house..${'x'.repeat(64)}.example.org.`, zone);
    expect(problems).toHaveLength(7);
  });

  test('a problem never carries control characters and stays short', () => {
    const unit = fc.constantFrom('a', 'A', '.', '-', 'ä', '\n', '\u007f', '\u0085', '\u202e', '😀');
    fc.assert(
      fc.property(fc.string({ unit, maxLength: 300 }), (name) => {
        for (const problem of checkDnsName(name, zone)) {
          expect(problem.length).toBeLessThan(1000);
          expect(problem).not.toMatch(/\p{Cc}|\p{Cf}/u);
        }
      }),
    );
  });
});

describe('checkZoneName', () => {
  test('takes zones and refuses what is none', () => {
    for (const name of [zone, 'test', 'a.b.c.d']) expect(checkZoneName(name)).toEqual([]);
    expect(checkZoneName(`${`${'a'.repeat(60)}.`.repeat(4)}`.slice(0, -1))).toHaveLength(1);
    for (const name of ['', '.', 'Test', 'a..b', 'test.', 'a_b']) {
      expect(checkZoneName(name)).not.toEqual([]);
    }
  });
});
