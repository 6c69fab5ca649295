import { env } from 'onnxruntime-node';

/** onnxruntime, set up before anything uses it: its settings are read once a process, by the first session. */
export { env, InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';

// A provider that cannot be loaded is said once, by an error or by falling back; not on standard error besides.
env.logLevel = 'fatal';
