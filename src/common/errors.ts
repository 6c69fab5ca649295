/**
 * Every error that a user can mend. Its message is one line: where, what, and how to mend it.
 * Anything else that is thrown is a defect of this program.
 */
export abstract class LaOodError extends Error {
  /** Which kind of thing was wrong; stable, for programs. */
  abstract readonly kind: string;

  /**
   * @param where the file, and the place in it (`weights.pth: archive/data.pkl at byte 12`)
   * @param problem what is wrong there
   * @param remedy what to do about it
   * @param cause the error that it comes of
   */
  constructor(
    readonly where: string,
    readonly problem: string,
    readonly remedy?: string,
    cause?: unknown,
  ) {
    super(
      oneLine(`${where}: ${problem}${remedy ? `; ${remedy}` : ''}`),
      cause === undefined ? {} : { cause },
    );
    this.name = new.target.name;
  }
}

/** Names from a hostile file may hold line breaks and terminal sequences: they are shown, not obeyed. */
function oneLine(text: string): string {
  return text.replace(
    /\p{Cc}/gu,
    (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
}

/** A PyTorch checkpoint that is damaged, hostile, or does not fit the network. */
export class CheckpointError extends LaOodError {
  readonly kind = 'checkpoint';
}

/** An ONNX model that is damaged, inconsistent, or lacks what was asked of it. */
export class GraphError extends LaOodError {
  readonly kind = 'graph';
}

/** Images or datasets that cannot be read. */
export class DataError extends LaOodError {
  readonly kind = 'data';
}

/** Features that are missing, damaged, or do not fit together. */
export class FeatureError extends LaOodError {
  readonly kind = 'feature';
}

/** Features on which a detector cannot be fitted, or a detector that does not fit its input. */
export class DetectorError extends LaOodError {
  readonly kind = 'detector';
}

/** A training that cannot go on as it was asked to. */
export class TrainingError extends LaOodError {
  readonly kind = 'training';
}

/** A run folder whose contents do not belong together, or that another process is using. */
export class RunError extends LaOodError {
  readonly kind = 'run';
}

/** A device that was named and is not there. */
export class DeviceError extends LaOodError {
  readonly kind = 'device';
}

/** A command or a function that was called wrongly (exit code 2). */
export class UsageError extends LaOodError {
  readonly kind = 'usage';
}

/** More images at a time than a guard was opened for: ask again in a while. */
export class QueueFullError extends LaOodError {
  readonly kind = 'queue';
}
