import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { packageRoot } from '../src/common/package-root.ts';

// Property tests draw the same cases in every run, so that a failure is a change's; LA_OOD_SEED draws others.
fc.configureGlobal({ seed: Number(process.env.LA_OOD_SEED ?? 1) });

/** Once, before all tests: the command line is tested as it is shipped, which also starts in half the time. */
export function mochaGlobalSetup(): void {
  execFileSync('npm', ['run', '--silent', 'build'], { cwd: packageRoot, stdio: 'inherit' });
}
