import { readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import wabt from 'wabt';

/** Makes `kernels.wasm.ts` of `kernels.wat`: node --import tsx test/data/assemble-kernels.ts */

const folder = new URL('../../data/resampling/', import.meta.url);

/** The binary form of kernels.wat, as base64. */
export async function assembleKernels(): Promise<string> {
  const source = await readFile(new URL('kernels.wat', folder), 'utf8');
  const { parseWat } = await wabt();
  const module = parseWat('kernels.wat', source, { simd: true });
  return Buffer.from(module.toBinary({}).buffer).toString('base64');
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const comment = '/** kernels.wat in binary form, as base64; made by test/data/assemble-kernels.ts. */';
  const text = `${comment}\nexport const kernels =\n  '${await assembleKernels()}';\n`;
  await writeFile(new URL('kernels.wasm.ts', folder), text);
}
