/** All that the command line uses: what the package exports, by subject, and words of its own. */

export type { Image } from '../data/image-set.ts';
export { type AdviceWords, adviceText } from './common/errors.ts';
export { printable } from './common/printable.ts';
export { nearestName } from './common/suggest.ts';
export * from './entries/checkpoints.ts';
export * from './entries/guard.ts';
export * from './entries/main.ts';
export * from './entries/methods.ts';
export * from './entries/onnx.ts';
export * from './entries/training.ts';
export { misclassifiedPanels, panelsText, panelWords, setPanels } from './evaluation/method-panels.ts';
export { openOodText } from './evaluation/openood/openood-tables.ts';
export { summaryTable } from './evaluation/tables.ts';
export { demoDescriptions } from './pipeline/run-demo.ts';
