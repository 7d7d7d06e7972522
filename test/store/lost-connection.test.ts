/** A lost connection is told from a statement that failed: what is read is read again after the one. */
import { expect, test } from 'vitest';
import { isConnectionError, sqlState } from '../../src/store/database/sql-error.ts';

const coded = (code: string) => Object.assign(new Error(code), { code });

test.each([
  'EPIPE',
  'ECONNRESET',
  'ECONNREFUSED',
  'EHOSTUNREACH',
  'EAI_AGAIN',
  'CONNECTION_CLOSED',
  'DATABASE_TIMEOUT',
  'CONNECT_TIMEOUT',
  'ERR_STREAM_DESTROYED',
  '08006',
  '53300',
  '57P01',
])('%s is a lost connection, whatever it is wrapped in', (code) => {
  expect(isConnectionError(coded(code))).toBe(true);
  const wrapped = new Error('Failed query', { cause: coded(code) });
  expect(isConnectionError(wrapped)).toBe(true);
});

test.each(['23505', '42P01', '40P01', '57014', 'P0001', 'EPERM'])('%s is none', (code) => {
  expect(isConnectionError(coded(code))).toBe(false);
});

test('an error of the system is no error of SQL, though it has five letters', () => {
  expect(sqlState(coded('EPIPE'))).toBeNull();
  expect(sqlState(coded('57P01'))).toBe('57P01');
});
