/** Where graphs run; `auto` takes CUDA where it works, else the CPU. */
export const deviceNames = ['auto', 'cpu', 'cuda', 'webgpu', 'dml', 'coreml'] as const;
export type DeviceName = (typeof deviceNames)[number];
export type Device = Exclude<DeviceName, 'auto'>;

/** How much onnxruntime rewrites a graph before it runs it: results differ in their last bits. */
export type Optimization = 'disabled' | 'all';

/** How a session runs its graph. */
export interface Setting {
  /** onnxruntime threads; as many as there are cores where absent. */
  readonly threads?: number;
  /** What onnxruntime does to the graph; all where absent, and nothing for a single run. */
  readonly optimization?: Optimization;
  /** For a single run: weights are not arranged for speed, which would take their memory once more, and threads do not spin. */
  readonly single?: boolean;
}
