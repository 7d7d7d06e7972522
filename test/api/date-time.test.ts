/** Times as callers write them: RFC 3339, of dates that exist. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseTime } from '../../src/api/base/time.ts';
import { createSampleData } from '../../src/store/sample-data.ts';
import { type Api, openApi } from './api.ts';

const taken: readonly [string, string][] = [
  ['2026-11-30T00:00:00Z', '2026-11-30T00:00:00.000Z'],
  ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00.000Z'],
  ['2000-02-29T00:00:00Z', '2000-02-29T00:00:00.000Z'],
  ['2026-01-31t09:30:00z', '2026-01-31T09:30:00.000Z'],
  ['2026-01-31T09:30:00.1Z', '2026-01-31T09:30:00.100Z'],
  ['2026-01-31T09:30:00.123999999Z', '2026-01-31T09:30:00.123Z'],
  ['2026-01-01T00:30:00+01:00', '2025-12-31T23:30:00.000Z'],
  ['2024-02-28T23:30:00-00:45', '2024-02-29T00:15:00.000Z'],
  ['2026-01-31T09:30:00-00:00', '2026-01-31T09:30:00.000Z'],
  ['2026-01-31T09:30:00+23:59', '2026-01-30T09:31:00.000Z'],
  ['2016-12-31T23:59:60Z', '2017-01-01T00:00:00.000Z'],
  ['1990-12-31T15:59:60.5-08:00', '1991-01-01T00:00:00.500Z'],
  ['2015-06-30T23:59:60Z', '2015-07-01T00:00:00.000Z'],
  ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00.000Z'],
  ['0099-03-01T00:00:00Z', '0099-03-01T00:00:00.000Z'],
  ['0000-12-31T23:30:00-00:30', '0001-01-01T00:00:00.000Z'],
  ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
];

const refused = [
  ...['2026-11-31T00:00:00Z', '2026-02-29T00:00:00Z', '1900-02-29T00:00:00Z'],
  ...['2026-04-31T12:00:00+02:00', '2026-13-01T00:00:00Z', '2026-00-01T00:00:00Z'],
  ...['2026-01-00T00:00:00Z', '2026-01-32T00:00:00Z', '2026-01-31T24:00:00Z'],
  ...['2026-01-31T09:60:00Z', '2026-01-31T09:30:60Z', '2026-03-31T23:59:60Z'],
  ...['2016-12-31T23:59:61Z', '2016-12-31T23:59:60+01:00', '2026-01-31T09:30:00+24:00'],
  ...['2026-01-31T09:30:00+01:60', '2026-01-31T09:30:00+0100', '2026-01-31T09:30:00+01'],
  ...['0000-01-01T00:00:00Z', '0001-01-01T00:00:00+00:01', '9999-12-31T23:59:59-00:01'],
  ...['2026-01-31T09:30:00', '2026-01-31T09:30Z', '2026-01-31', '2026-01-31 09:30:00Z'],
  ...['2026-01-31T09:30:00.Z', '2026-01-31T09:30:00,5Z', '+002026-01-31T09:30:00Z', ''],
  ...['2026-1-31T09:30:00Z', '1769851800', ' 2026-01-31T09:30:00Z', '２026-01-31T09:30:00Z'],
];

test.each(taken)('%s is taken', (text, moment) => {
  expect(parseTime(text)?.toISOString()).toBe(moment);
});

test('what is no time of a date that exists is not taken', () => {
  expect(refused.filter((text) => parseTime(text) !== null)).toEqual([]);
});

describe.each(['PGLITE', 'POSTGRES'] as const)('a DateTime on %s', (kind) => {
  let api: Api;
  beforeAll(async () => {
    api = await openApi(kind);
    await createSampleData(api.store, api.organizationId);
  });
  afterAll(() => api?.close());

  const stateAt =
    'query ($time: DateTime!) { instance(instance: "greenhouse-1") { stateAt(time: $time) } }';
  const since = (time: string) =>
    `{ operations(filter: { createdAt: { since: ${JSON.stringify(time)} } }) { totalCount } }`;

  test('that exists is read by the store', async () => {
    for (const [time, moment] of taken) {
      const { instance } = await api.ask(stateAt, { time });
      const isLater = moment > new Date().toISOString();
      expect(instance.stateAt, time).toBe(isLater ? 'OFFLINE' : null);
      expect(await api.ask(since(time)), time).toEqual({ operations: { totalCount: 0 } });
    }
  });

  test('that does not exist is refused, as a variable and as a literal', async () => {
    for (const time of refused) {
      const { errors } = await api.answer(stateAt, { time });
      expect(errors[0]?.message, time).toContain('RFC 3339');
      await expect(api.answer(since(time)), time).rejects.toThrow('RFC 3339');
    }
  });

  test('that does not exist is refused within a cursor', async () => {
    const id = '00000000-0000-4000-8000-000000000000';
    const page = (time: string) => {
      const cursor = Buffer.from(JSON.stringify(['CREATED_AT', time, id])).toString('base64url');
      return api.answer(
        `{ instances(after: "${cursor}", orderBy: { field: CREATED_AT }) { totalCount nodes { key } } }`,
      );
    };
    expect((await page('2026-11-30T00:00:00.000Z')).errors).toEqual([]);
    for (const time of refused) {
      expect((await page(time)).errors, time).toMatchObject([{ code: 'CURSOR_INVALID' }]);
    }
  });
});
