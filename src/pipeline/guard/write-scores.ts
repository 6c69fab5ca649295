import { open } from 'node:fs/promises';
import { toCsv } from '../../common/csv.ts';
import { writeAtomically } from '../../common/files.ts';
import type { ScoredImage } from './score-images.ts';

const HEAD = ['set', 'image', 'label', 'class', 'ood_score', 'p_value', 'is_ood'];

/** What explains the decision: of a guard of questions, and of a guard by layers; nothing does of one by a method. */
const QUESTIONS_HEAD = ['content_p_value', 'conditions_p_value', 'condition', 'reason'];
const LAYER_HEAD = ['layer'];

/** Rows that are written at once. */
const ROWS = 1024;

/**
 * Writes a row for each scored image: a table where the file's name ends in `.csv`, else JSON lines. The file appears
 * when all are scored.
 *
 * @returns how many images there were, and how many were called OOD
 *
 * @example
 * ```ts
 * import { scoreImages, writeScores } from 'la-ood/guard';
 *
 * const { images, ood } = await writeScores('scores.csv', scoreImages('guarded.onnx', ['photos/']));
 * console.log(`${ood} of ${images} are OOD`);
 * ```
 */
export async function writeScores(
  output: string,
  scored: AsyncIterable<ScoredImage>,
): Promise<{ images: number; ood: number }> {
  const isTable = output.endsWith('.csv');
  let images = 0;
  let ood = 0;
  await writeAtomically(output, async (part) => {
    const file = await open(part, 'w');
    try {
      let rows: ScoredImage[] = [];
      const write = async () => {
        await file.write(
          isTable ? toCsv(rows.map(cells)) : rows.map((row) => `${JSON.stringify(row)}\n`).join(''),
        );
        rows = [];
      };
      for await (const row of scored) {
        if (isTable && images === 0) await file.write(toCsv([head(row)]));
        images++;
        if (row.isOod) ood++;
        if (rows.push(row) === ROWS) await write();
      }
      if (rows.length) await write();
    } finally {
      await file.close();
    }
  });
  return { images, ood };
}

function head({ layer, reason, logits = [] }: ScoredImage): string[] {
  const byClass = (name: string) => logits.map((_, label) => `${name}_${label}`);
  return [...HEAD, ...explanationHead(layer, reason), ...byClass('logit'), ...byClass('probability')];
}

function explanationHead(layer?: string, reason?: string): readonly string[] {
  if (layer !== undefined) return LAYER_HEAD;
  return reason === undefined ? [] : QUESTIONS_HEAD;
}

function cells({
  set,
  image,
  label,
  className,
  score,
  pValue,
  isOod,
  contentPValue,
  conditionsPValue,
  condition,
  reason,
  layer,
  logits = [],
  probabilities = [],
}: ScoredImage): (string | number)[] {
  const common = [set, image, label, className ?? '', score, pValue, String(isOod)];
  const questions = [contentPValue ?? '', conditionsPValue ?? '', condition ?? '', reason ?? ''];
  const explanation = layer !== undefined ? [layer] : reason === undefined ? [] : questions;
  return [...common, ...explanation, ...logits, ...probabilities];
}
