import type { GammaTrial } from '../../detectors/choose-gamma.ts';
import type { LayerResult } from '../evaluate.ts';
import { escapeXml } from '../svg.ts';
import { type HeatRow, heatMap, layerLabel } from './heat-map.ts';
import { count, folded, share, table } from './html.ts';
import type { ReportContent } from './report-content.ts';

type Detector = ReportContent['detectors'][number];

/** How γ was chosen: the error of every candidate in every layer, and what was chosen, as a table. */
export function fittingSection(detectors: readonly Detector[], layers: readonly LayerResult[]): string {
  const fitted = detectors.filter(({ fit }) => fit);
  if (fitted.length === 0)
    return '<p>The detectors were not fitted here, so that nothing is known of it.</p>';
  const gammas = [...new Set(fitted.flatMap(({ fit }) => fit!.trials.map(({ gamma }) => gamma)))].sort(
    (a, b) => b - a,
  );
  const rows = gammas.map((gamma): HeatRow => {
    const trials = detectors.map(({ fit }) => fit?.trials.find((trial) => trial.gamma === gamma));
    const chosen = detectors.filter((detector) => detector.gamma === gamma).length;
    return {
      label: `γ ${gamma}`,
      title: `Error of γ ${gamma} in each layer; chosen in ${chosen} of ${detectors.length}`,
      cells: trials.map((trial, l) => ({
        strength: trial ? 1 - Math.min(1, 2 * trial.error) : 0,
        className: detectors[l].gamma === gamma ? 'chosen' : trial?.isBound ? 'bound' : '',
        title: `layer ${layers[l].index + 1} ${layers[l].name}, γ ${gamma}: ${errorOf(trial)}`,
      })),
    };
  });
  const caption =
    'Rows are the candidates for γ, columns the layers: the stronger the colour, the less is confused. Chosen are those with a frame. Thin cells were proven to be no better than one before them, and not finished.';
  return [
    `<figure class="fitting">${heatMap(rows, layers)}<figcaption>${caption}</figcaption></figure>`,
    folded('What was chosen, layer by layer', choices(detectors, layers)),
  ].join('\n');
}

function errorOf(trial: GammaTrial | undefined): string {
  if (!trial) return 'was not tried';
  const { error, errorInd, errorOod, isBound } = trial;
  if (isBound || errorOod === undefined) return `error at least ${share(error)}`;
  return `error ${share(error)}: ${share(errorInd)} of the held-out images rejected, ${share(errorOod)} of the pseudo outliers accepted`;
}

function choices(detectors: readonly Detector[], layers: readonly LayerResult[]): string {
  const chosen = ({ gamma, fit }: Detector) =>
    fit?.trials.find((trial) => trial.gamma === gamma && !trial.isBound);
  const percentOf = (value: number | undefined) => (value === undefined ? '' : (100 * value).toFixed(2));
  return table<number>(
    'The chosen γ of each layer, its errors in %, and how long it took',
    [
      { head: 'Layer', cell: (l) => layerLabel(layers[l]) },
      { head: 'ν', numeric: true, cell: (l) => String(detectors[l].nu) },
      { head: 'γ', numeric: true, cell: (l) => String(Number(detectors[l].gamma.toPrecision(4))) },
      { head: 'error', numeric: true, cell: (l) => percentOf(detectors[l].fit?.error) },
      { head: 'held-out<br>rejected', numeric: true, cell: (l) => percentOf(chosen(detectors[l])?.errorInd) },
      {
        head: 'pseudo outliers<br>accepted',
        numeric: true,
        cell: (l) => percentOf(chosen(detectors[l])?.errorOod),
      },
      {
        head: 'support<br>vectors',
        numeric: true,
        cell: (l) => escapeXml(count(chosen(detectors[l])?.supportVectors ?? 0)),
      },
      { head: 'edge<br>points', numeric: true, cell: (l) => count(detectors[l].fit?.edgePoints ?? 0) },
      { head: 'seconds', numeric: true, cell: (l) => detectors[l].seconds?.toFixed(1) ?? '' },
    ],
    [...detectors.keys()],
    'small',
  );
}
