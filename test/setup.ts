import { execFileSync } from 'node:child_process';
import { readdirSync, statSync } from 'node:fs';
import fc from 'fast-check';
import { packageRoot } from '../src/common/package-root.ts';

// Property tests draw the same cases in every run, so that a failure is a change's; LA_OOD_SEED draws others.
fc.configureGlobal({ seed: Number(process.env.LA_OOD_SEED ?? 1) });

// The command line is tested as it is shipped.
if (isStale()) execFileSync('npm', ['run', '--silent', 'build'], { cwd: packageRoot, stdio: 'inherit' });

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
