import { stat } from 'node:fs/promises';
import { readModel } from '../../graph/read.ts';
import { checkImages } from '../../guard/check-images.ts';
import type { GuardAnswer } from '../../guard/guard-answer.ts';
import { guardInfo } from '../../guard/guard-info.ts';
import { runGuard } from '../../guard/open-guard.ts';
import type { GuardFacts } from '../../page/guard-facts.ts';
import { GraphSession } from '../../runtime/graph-session.ts';

/**
 * What the page is told of a guarded model: what it says of itself, and what it makes of made images here.
 *
 * @param name what the page calls it
 * @throws GraphError where the file is no guarded model
 */
export async function collectGuardFacts(path: string, name: string): Promise<GuardFacts> {
  const model = await readModel(path);
  const info = guardInfo(model, path);
  const session = await GraphSession.open(model, { device: 'cpu' });
  const expected: GuardAnswer[] = [];
  try {
    // One image a run, as the page runs them.
    for (const pixels of checkImages(info.size)) expected.push(...(await runGuard(session, info, pixels, 1)));
  } finally {
    await session.close();
  }
  return {
    ...info,
    name,
    bytes: (await stat(path)).size,
    classCount: expected[0].logits.length,
    scores: Array.from(info.scores),
    expected,
  };
}
