import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../../src/common/package-root.ts';

/**
 * Writes the TypeScript of every `@example` and of README and docs/library.md into a folder, those for browsers apart, and a module
 * that imports every entry: to be compiled.
 */

const folder = process.argv[2];

const folders = ['src', 'converters', 'data', 'models'];
const modules = folders.map(async (name) =>
  (await readdir(new URL(name, packageRoot), { recursive: true }))
    .filter((file) => file.endsWith('.ts'))
    .map((file) => `${name}/${file}`),
);
const files = [...(await Promise.all(modules)).flat(), 'README.md', 'docs/library.md'];

await mkdir(join(folder, 'node'), { recursive: true });
await mkdir(join(folder, 'browser'), { recursive: true });
let count = 0;
for (const file of files) {
  const text = await readFile(new URL(file, packageRoot), 'utf8');
  const comments = file.endsWith('.md') ? [text] : (text.match(/\/\*\*[\s\S]*?\*\//g) ?? []);
  for (const comment of comments.filter((one) => file.endsWith('.md') || one.includes('@example')))
    for (const [, code] of comment.matchAll(/```ts\n([\s\S]*?)```/g)) {
      const plain = code.replace(/^[ \t]*\* ?/gm, '');
      const where = plain.includes('la-ood/browser') ? 'browser' : 'node';
      await writeFile(join(folder, where, `example-${count++}.ts`), `// ${file}\n${plain}\nexport {};\n`);
    }
}
const { exports } = JSON.parse(await readFile(new URL('package.json', packageRoot), 'utf8'));
const entries = Object.keys(exports).filter((entry) => entry !== './package.json' && entry !== './browser');
const imports = entries.map(
  (entry, i) => `import * as entry${i} from '${entry.replace(/^\./, 'la-ood')}';\nvoid entry${i};\n`,
);
await writeFile(join(folder, 'node', 'entries.ts'), imports.join(''));
await writeFile(
  join(folder, 'browser', 'entries.ts'),
  "import * as entry from 'la-ood/browser';\nvoid entry;\n",
);
console.log(`${count} examples`);
