import { join } from 'node:path';
import { z } from 'zod';
import { configurationFolders, readJson } from './json-file.ts';

const configSchema = z.looseObject({
  id2label: z.record(z.string().regex(/^\d+$/), z.string()).optional(),
  label_names: z.array(z.string()).optional(),
});

/**
 * The names of a model's classes in the `config.json` beside it: transformers' `id2label`, or timm's `label_names`.
 *
 * @returns undefined where it names none, or transformers' placeholders (`LABEL_0`)
 * @throws DataError where the file is damaged
 */
export async function configuredClassNames(model: string): Promise<readonly string[] | undefined> {
  for (const folder of configurationFolders(model)) {
    const config = configSchema.safeParse(await readJson(join(folder, 'config.json')));
    if (!config.success) continue;
    const { id2label, label_names: listed } = config.data;
    if (listed) return listed;
    if (!id2label) continue;
    const names = Array.from(Object.keys(id2label), (_, id) => id2label[id]);
    const isComplete = names.every((name) => name !== undefined);
    if (isComplete && !names.every((name) => /^LABEL_\d+$/.test(name))) return names;
  }
  return undefined;
}
