/** Embedded stores of a test's own: copies of the template, in a folder of the run that goes with it. */
import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { inject } from 'vitest';
import type { Database } from '../../src/store/database/database.ts';
import { openPglite } from '../../src/store/database/pglite.ts';
import { copyTemplate } from '../../src/store/database/template.ts';

/** Opens a migrated, empty database. */
export async function openTestPglite(): Promise<Database> {
  const folder = join(mkdtempSync(join(inject('runFolder'), 'store-')), 'pglite');
  copyTemplate(folder);
  return openPglite(folder);
}
