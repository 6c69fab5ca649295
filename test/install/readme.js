import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { batches, openImageSet } from 'la-ood/guard';
import { readModel, writeModel } from 'la-ood/onnx';
import sharp from 'sharp';

/**
 * Writes README's snippets into this folder, `guard.sh` and `library.js`, and what they name: a classifier and photos. The
 * classifier is the demo's, with nothing in it of la-ood; the photos are its drawings.
 */

const readme = await readFile('node_modules/la-ood/README.md', 'utf8');
const section = (title) => readme.split(`\n## ${title}\n`)[1].split('\n## ')[0];
const code = (text, language) =>
  [...text.matchAll(new RegExp(`\`\`\`${language}\\n([^]*?)\`\`\``, 'g'))].map(([, one]) => one).join('');
await writeFile('guard.sh', code(section('Guard my model'), 'sh'));
await writeFile('library.js', code(section('The library'), 'ts'));

const model = await readModel('node_modules/la-ood/data/demo/backbone.onnx');
await writeModel('mobilenet.onnx', { ...model, metadataProps: [] });
for (const [folder, set] of Object.entries({
  'photos/train': 'demo:train:400',
  'photos/test': 'demo:test:300',
  camera: 'demo:shapes:5',
  textures: 'demo:textures:50',
})) {
  await mkdir(folder, { recursive: true });
  const size = { height: 32, width: 32 };
  for await (const { start, count, pixels } of batches(await openImageSet(set), { batch: 100, size }))
    for (let i = 0; i < count; i++) {
      const image = sharp(pixels.subarray(i * 3072, (i + 1) * 3072), { raw: { ...size, channels: 3 } });
      await image.jpeg({ quality: 95 }).toFile(`${folder}/${start + i}.jpg`);
    }
}
await sharp('camera/0.jpg').toFile('photo.jpg');
