import { execFileSync } from 'node:child_process';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { packageRoot } from '../../src/common/package-root.ts';

/** Copies an example, installs what its lock file says, and puts this la-ood into it. */
export async function installExample(name: string, folder: string): Promise<void> {
  await cp(new URL(`examples/${name}`, packageRoot), folder, {
    recursive: true,
    filter: (path) => !/node_modules|dist|public/.test(path.slice(path.indexOf('examples'))),
  });
  execFileSync('npm', ['ci', '--silent', '--no-audit', '--no-fund'], { cwd: folder });
  await mkdir(join(folder, 'node_modules'), { recursive: true });
  await symlink(fileURLToPath(packageRoot), join(folder, 'node_modules', 'la-ood'), 'dir');
}
