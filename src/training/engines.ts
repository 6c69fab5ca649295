import { type TrainingEngine, type TrainingEngineName, trainingEngineNames } from './engine.ts';
import { onnxEngine } from './onnx/onnx-engine.ts';
import { loadTensorFlow, openTensorFlow } from './tfjs/backend.ts';
import { tensorFlowEngine } from './tfjs/tfjs-engine.ts';

export interface TrainingEngineExamination {
  readonly engine: TrainingEngineName;
  readonly works: boolean;
  /** Why it does not; nothing where it is only not installed. */
  readonly problem?: string;
}

/**
 * Opens an engine. The packages of TensorFlow.js are loaded by this call, and by nothing else in the program.
 *
 * @throws DeviceError where it is not installed, or does not work here
 */
export function openTrainingEngine(name: TrainingEngineName = 'onnx'): TrainingEngine {
  return name === 'onnx' ? onnxEngine : tensorFlowEngine(name, openTensorFlow(name));
}

/** Tries every engine. onnxruntime's is a part of this program. */
export function examineTrainingEngines(): TrainingEngineExamination[] {
  return trainingEngineNames.map((engine) => {
    if (engine === 'onnx') return { engine, works: true };
    const { tf, problem } = loadTensorFlow(engine);
    return { engine, works: tf !== undefined, problem };
  });
}
