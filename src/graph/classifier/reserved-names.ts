/** What a guarded file takes and yields (see `guardedModel`), and what its graphs of detectors call their own values. */
const reserved = new Set(
  (
    'pixels threshold label ood_score p_value is_ood content_score content_p_value conditions_score ' +
    'conditions_p_value condition component_scores layer_scores ood_layer layer_axis'
  ).split(' '),
);

/** Beginnings of names of which there are many. */
const reservedPrefix = /^(la_ood|layer_scores|component_scores)\//;

/** Whether a value of a classifier would be in the way of the values that detectors and guard add to it. */
export function isReserved(name: string): boolean {
  return reserved.has(name) || reservedPrefix.test(name);
}
