export type Activation = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'softmax';
export type Initializer = 'glorotUniform' | 'glorotNormal' | 'heUniform' | 'heNormal' | 'zeros';
/** categoricalCrossEntropy needs a last layer with softmax, binaryCrossEntropy one with sigmoid. */
export type Loss = 'meanSquaredError' | 'binaryCrossEntropy' | 'categoricalCrossEntropy';

/** A dense layer with bias: activation(input [rows, in] * kernel [in, units] + bias [units]). */
export interface LayerSpec {
  units: number;
  activation: Activation;
  kernelInitializer: Initializer;
}

export interface NetworkSpec {
  inputs: number;
  layers: LayerSpec[];
}

/** The formulas and their sources are in engine/optimizer.h. */
export type OptimizerSpec =
  | { type: 'gradientDescent'; learningRate: number }
  | { type: 'sgd'; learningRate: number; momentum: number; nesterov: boolean }
  | { type: 'adam'; learningRate: number; beta1: number; beta2: number; epsilon: number };

/**
 * A dataset in memory. It is read where it lies and never copied: while a call is under way the arrays must not be
 * changed. Their buffers are marked as untransferable by the first such call.
 */
export interface Examples {
  rows: number;
  /** [rows, inputs], row-major. The network sees `value * scale + offset`. */
  features: Float32Array | Uint8Array;
  scale: number;
  offset: number;
  /** The class of each row (categoricalCrossEntropy), or [rows, outputs] numbers (the other losses). */
  targets: Int32Array | Float32Array;
}

export interface TrainerOptions {
  loss: Loss;
  optimizer: OptimizerSpec;
  /** Rows a step; `'full'` takes all examples in one step an epoch. The last, shorter batch is trained as well. */
  batchSize: number | 'full';
  /** From 0 to 2^53 - 1. Together with the epoch's number it fixes the order of the examples. */
  seed: number;
  /** 0: as many as the process may use. The results have the same bits for every number. */
  threads: number;
}

/** Means over the examples of the epoch so far, each measured with the weights as they were when its batch came. */
export interface EpochProgress {
  epoch: number;
  step: number;
  steps: number;
  examples: number;
  loss: number;
  /** null for meanSquaredError. */
  accuracy: number | null;
  examplesPerSecond: number;
  /** Since the epoch began. */
  seconds: number;
}

export interface EpochResult {
  epoch: number;
  steps: number;
  examples: number;
  loss: number;
  accuracy: number | null;
  seconds: number;
}

export interface Evaluation {
  loss: number;
  accuracy: number | null;
  /** [classes * classes], row = truth, column = answer; null unless the loss is categoricalCrossEntropy. */
  confusion: Int32Array | null;
}

export interface Gradients {
  loss: number;
  /** By tensor name as in the files: `layers.0.kernel` [in, units], `layers.0.bias` [units]. */
  parameters: Record<string, Float32Array>;
  /** [rows, inputs], with respect to the scaled features. */
  inputs: Float32Array;
}

export interface EngineInfo {
  version: string;
  instructionSet: 'avx512' | 'avx2' | 'portable';
  blas: string;
  blasCore: string;
  blasLibrary: string;
  /** What the control group's quota and the scheduling affinity leave to this process. */
  threads: number;
  /** What makes this machine slower than it could be, each with its remedy. */
  warnings: string[];
}
