import type { PickleValue } from '../../src/common/pickle/values.ts';
import type { StorageReference } from './torch-pickle.ts';

/** What every checkpoint format comes to: an unpickled value, and a way to the bytes of the storages that it refers to. */
export interface CheckpointContents {
  readonly format: 'zip' | 'legacy';
  readonly root: PickleValue;
  readonly readStorage: ReadStorage;
}

/** The bytes of a storage, exactly `byteLength` of them, where an element of any type may begin. */
export type ReadStorage = (storage: StorageReference) => Promise<Uint8Array<ArrayBuffer>>;
