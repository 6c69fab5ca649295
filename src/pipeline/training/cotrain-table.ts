import { toCsv } from '../../common/csv.ts';
import type { CoTrainedRow } from './cotrain-run.ts';

/** A row for each OOD set and number of epochs; shares in percent, two decimals. */
export function comparisonCsv(rows: readonly CoTrainedRow[]): string {
  const percent = (share: number) => (100 * share).toFixed(2);
  const sets = rows[0].evaluation.sets.map(({ ood }) => ood);
  return toCsv([
    ['ood', 'epochs', 'accuracy', 'auroc', 'fpr_at_95_tpr', 'best_layer_auroc'],
    ...sets.flatMap((ood) =>
      rows.map(({ epoch, accuracy, evaluation }) => {
        const { laOod, best } = evaluation.sets.find((set) => set.ood === ood)!;
        return [
          ...[ood, epoch, accuracy === undefined ? '' : percent(accuracy)],
          ...[laOod.metrics.auroc, laOod.metrics.fprAt95Tpr, best.metrics.auroc].map(percent),
        ];
      }),
    ),
  ]);
}
