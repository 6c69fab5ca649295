import { DetectorError } from '../../common/errors.ts';
import type { FittedMethod, Method, MethodOptions, Need } from './method.ts';
import type { Training } from './training.ts';

/** A method that was fitted, and how long that took. */
export interface FittedByName extends FittedMethod {
  readonly method: Method;
  readonly seconds: number;
}

/** A method that cannot be had here, and why, in a line without a full stop. */
export interface Refusal {
  readonly method: Method;
  readonly reason: string;
}

export interface MethodsFit {
  readonly fitted: readonly FittedByName[];
  readonly refused: readonly Refusal[];
}

/** Fits methods one after the other. Those that lack what they need, or cannot be fitted, are refused by name. */
export async function fitMethods(
  methods: readonly Method[],
  training: Training,
  options: MethodOptions = {},
  onFitted?: (method: Method) => void,
): Promise<MethodsFit> {
  const fitted: FittedByName[] = [];
  const refused: Refusal[] = [];
  for (const method of methods) {
    const start = performance.now();
    try {
      const missing = method.needs.find((need) => !has(training, need));
      if (missing) refused.push({ method, reason: reasons[missing] });
      else {
        const result = await method.fit(training, options);
        fitted.push({ ...result, method, seconds: (performance.now() - start) / 1000 });
      }
    } catch (error) {
      if (!(error instanceof DetectorError)) throw error;
      refused.push({ method, reason: error.message });
    }
    onFitted?.(method);
  }
  return { fitted, refused };
}

function has(training: Training, need: Need): boolean {
  const { width, head, labels, layers, svms, isMultiLabel } = training.features;
  switch (need) {
    case 'head input':
      return width !== undefined;
    case 'head':
      return head !== undefined;
    case 'labels':
      return labels !== undefined;
    case 'layers':
      return layers !== undefined;
    case 'one-class SVMs':
      return svms !== undefined;
    case 'one class an image':
      return !isMultiLabel;
    case 'activations':
      return !training.firstHeadInputs().some((value) => value < 0);
  }
}

const reasons: Readonly<Record<Need, string>> = {
  'head input': 'it needs what goes into a last linear layer, and the classifier has none',
  head: 'it needs the weights of a last linear layer, and the classifier has none',
  labels: "it needs the class of each training image, and the set has no classes that are the classifier's",
  layers: 'it needs the pooled values of layers, and the features hold none',
  'one-class SVMs': 'it needs the fitted one-class SVMs of the layers',
  'one class an image': 'it takes a softmax, and classes do not exclude each other here (a sigmoid)',
  activations:
    'it is defined for activations that are not negative, as behind a ReLU, and some head inputs are',
};
