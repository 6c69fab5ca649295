/** Name of a guarded model's tensor of calibration scores. */
export const CALIBRATION = 'la_ood/calibration';
