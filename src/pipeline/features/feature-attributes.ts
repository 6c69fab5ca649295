/** Attributes of our feature files. `detector_taps`, a JSON list, names the layers with a detector. */

/** Attribute of a file of corrupted images: what was done to them, a JSON list; as many images by each. */
export const CORRUPTIONS = 'corruptions';

/** Attributes that name the layers of what goes into the last linear layer, and of the class labels. */
export const HEAD_INPUT_LAYER = 'head_input';
export const LABELS_LAYER = 'labels';

/** Attribute: the layers that tell of conditions, a JSON list. */
export const CONDITION_TAPS = 'condition_taps';

/** Attribute of features of a classifier whose classes do not exclude each other. */
export const MULTI_LABEL = 'multi_label';
