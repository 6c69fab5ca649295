import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

/** Makes `kernels.wasm.ts` of each `kernels.wat`: node --import tsx test/data/assemble-kernels.ts */

/** The folders below `data` that have kernels. */
export const kernelFolders = ['jpeg', 'planes', 'resampling'] as const;

/** The binary form of a folder's kernels.wat, as base64. */
export async function assembleKernels(folder: (typeof kernelFolders)[number]): Promise<string> {
  const source = await readFile(fileIn(folder, 'kernels.wat'), 'utf8');
  const { parseWat } = await wabt();
  const module = parseWat('kernels.wat', source, { simd: true });
  return Buffer.from(module.toBinary({}).buffer).toString('base64');
}

function fileIn(folder: string, name: string): URL {
  return new URL(`../../data/${folder}/${name}`, import.meta.url);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const comment = '/** kernels.wat in binary form, as base64; made by test/data/assemble-kernels.ts. */';
  for (const folder of kernelFolders) {
    const text = `${comment}\nexport const kernels =\n  '${await assembleKernels(folder)}';\n`;
    await writeFile(fileIn(folder, 'kernels.wasm.ts'), text);
  }
}
