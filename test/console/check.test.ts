/** The check of a document while it is typed. */
import { expect, test } from 'vitest';
import { checkDocument } from '../../src/console/solutions/check.ts';

test('a document longer than a request is not read, and its length is told', async () => {
  const { parsed, issues } = await checkDocument('['.repeat(1024 * 1024 + 1));
  expect(parsed).toBeUndefined();
  expect(issues).toEqual([
    expect.objectContaining({
      message: 'The document has 1,048,577 characters; the API takes 1 MiB.',
      line: 1,
    }),
  ]);
  const { issues: shorter } = await checkDocument('['.repeat(1024));
  expect(shorter[0]?.message).toBe('This is nested too deeply.');
});
