import { env, type InferenceSession } from 'onnxruntime-node';

/** onnxruntime, set up before anything uses it: its settings are read once a process, by the first session. */
export { env, InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';

// A provider that cannot be loaded is said once, by an error or by falling back; not on standard error besides.
env.logLevel = 'fatal';

/**
 * Options of a session that shares its threads with others in turn: its own threads rest as soon as a call ends. They
 * would spin for the next one otherwise, and keep a core from the session that is at work.
 */
export function takingTurns(threads: number): InferenceSession.SessionOptions {
  const extra = { session: { force_spinning_stop: '1' } };
  return { intraOpNumThreads: threads, interOpNumThreads: 1, extra };
}
