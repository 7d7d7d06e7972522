/**
 * Applies our patch of postgres.js to the installed package; npm runs it after every install.
 *
 *     node src/store/database/patches/apply.mjs [--check] [FOLDER OF THE PACKAGE]
 *
 * Plain JavaScript on Node alone: it runs before anything else can. All or nothing, and repeatable.
 * Another version of the package, or text that is not there exactly once, ends the install with the
 * reason: look whether the newer version still needs the edit, then move the patch to it.
 * `--check` only says whether the package is patched.
 *
 * Why not patch-package: docs/architecture.md, "Dependencies".
 */
import { createHash } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { patch } from './postgres-3.4.9.mjs';

/** Ends the install: an unpatched driver must not reach a running server. */
function fail(problem) {
  console.error(`The patch of ${patch.package} ${patch.version} does not apply: ${problem}`);
  console.error(
    'See src/store/database/patches/apply.mjs. If an older patch was applied: remove the folder node_modules/postgres, then run npm install.',
  );
  process.exit(1);
}

/** The package's folder: two above the folder of its CommonJS build's entry. */
function installed() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(patch.package)), '..', '..');
  } catch {
    // `npm install --package-lock-only` installs nothing and runs us all the same.
    console.error(`${patch.package} is not installed: nothing to patch`);
    process.exit(check ? 1 : 0);
  }
}

function count(text, part) {
  return text.split(part).length - 1;
}

const check = process.argv.includes('--check');
const folder = process.argv.slice(2).find((argument) => argument !== '--check') ?? installed();

const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
if (version !== patch.version) fail(`version ${version} is installed`);

const digest = createHash('sha256').update(JSON.stringify(patch.edits)).digest('hex').slice(0, 12);
if (digest !== patch.digest)
  fail(`its edits have changed: set its digest, and that of postgres.ts, to ${digest}`);

const changed = new Map();
let missing = 0;
for (const build of patch.folders) {
  for (const edit of patch.edits) {
    const path = join(folder, build, edit.file);
    const text = changed.get(path) ?? readFileSync(path, 'utf8');
    const to = edit.to.replace('$MARK', digest);
    if (count(text, to) === 1) continue;
    if (count(text, edit.from) !== 1) fail(`${build}/${edit.file} lacks the text of: ${edit.why}`);
    missing += 1;
    changed.set(
      path,
      text.replace(edit.from, () => to),
    );
  }
}

if (check && missing > 0) fail(`${missing} edits are missing; run npm install`);
for (const [path, text] of changed) {
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
}
