import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../src/common/package-root.ts';

// The command line is tested as it is shipped.
if (isStale()) execFileSync('npm', ['run', '--silent', 'build'], { cwd: packageRoot, stdio: 'inherit' });

// A folder of this run's own, for what several test files share; the processes that run files side by side inherit the name.
process.env.LA_OOD_TEST_FOLDER ??= mkdtempSync(join(tmpdir(), 'la-ood-tests-'));

/** Once, after all tests. */
export function mochaGlobalTeardown(): void {
  rmSync(process.env.LA_OOD_TEST_FOLDER!, { recursive: true, force: true });
}

/** Whether something that a build reads is younger than the last file that a build writes. */
function isStale(): boolean {
  const built = modified('dist/page/icon.svg');
  const folders = ['src', 'converters', 'data', 'models'];
  const files = folders.flatMap((folder) =>
    readdirSync(new URL(folder, packageRoot), { recursive: true, encoding: 'utf8' }).map(
      (file) => `${folder}/${file}`,
    ),
  );
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'tsconfig.page.json', 'package.json'];
  return !(Math.max(...[...folders, ...files, ...settings].map(modified)) < built);
}

/** Milliseconds since 1970; NaN where there is no such file. */
function modified(file: string): number {
  return statSync(new URL(file, packageRoot), { throwIfNoEntry: false })?.mtimeMs ?? Number.NaN;
}
