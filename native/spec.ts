import type { MappedArray } from './mapped-array.js';

/** The formulas and their sources are in engine/kernels/activation.inc. leakyRelu's slope is 0.2 and elu's alpha 1 (Keras). */
export const activations = [
  'linear',
  'sigmoid',
  'hardSigmoid',
  'tanh',
  'relu',
  'leakyRelu',
  'elu',
  'selu',
  'gelu',
  'geluTanh',
  'silu',
  'softplus',
  'softsign',
  'softmax',
  'logSoftmax',
] as const;
export type Activation = (typeof activations)[number];

export const lossNames = [
  'meanSquaredError',
  'meanAbsoluteError',
  'huber',
  'logCosh',
  'binaryCrossEntropy',
  'categoricalCrossEntropy',
  'hinge',
  'kullbackLeibler',
  'poisson',
] as const;
export type LossName = (typeof lossNames)[number];

/**
 * The formulas and their sources are in engine/loss.h. The loss of a batch is sum(weight * loss) / rows, as in Keras;
 * PyTorch divides by the sum of the weights.
 *
 * | loss | last activation | targets [rows, outputs] | accuracy |
 * | --- | --- | --- | --- |
 * | meanSquaredError, meanAbsoluteError, huber, logCosh | any | any numbers | - |
 * | binaryCrossEntropy | sigmoid | from 0 to 1 | same side of 1/2, of all outputs |
 * | categoricalCrossEntropy | softmax or logSoftmax | Int32Array [rows] of classes, or probabilities | largest |
 * | hinge | of both signs, such as linear | -1 and 1, or 0 and 1 | same sign, of all outputs |
 * | kullbackLeibler | softmax or logSoftmax; or never negative | probabilities | - |
 * | poisson | never negative, such as softplus | 0 or more | - |
 */
export type Loss = LossName | LossSpec;

export interface LossSpec {
  type: LossName;
  /** huber only: the size of error from which on it counts linearly. Default 1. */
  delta?: number;
  /**
   * categoricalCrossEntropy, with classes too, and binaryCrossEntropy: from 0 to below 1, the share of every target that
   * is spread evenly over the classes. Default 0.
   */
  labelSmoothing?: number;
  /**
   * A factor for the loss of each class's rows, 0 or more: one an output for categoricalCrossEntropy (given
   * probabilities count as their largest), `[of 0, of 1]` for binaryCrossEntropy of one output. Default 1 for each.
   */
  classWeights?: readonly number[];
}
/** Initializers that take no number. */
export const initializerNames = [
  'glorotUniform',
  'glorotNormal',
  'heUniform',
  'heNormal',
  'lecunUniform',
  'lecunNormal',
  'orthogonal',
  'zeros',
  'ones',
] as const;

/** The formulas and their sources are in engine/initializer.h. `uniform` draws between -limit and limit. */
export type Initializer =
  | (typeof initializerNames)[number]
  | { type: 'constant'; value: number }
  | { type: 'uniform'; limit: number };

/** activation(input [rows, in] * kernel [in, units] + bias [units]). Tensors `kernel`, `bias`. */
export interface DenseSpec {
  type: 'dense';
  units: number;
  /** Default 'linear'. */
  activation?: Activation;
  /** Default true. */
  useBias?: boolean;
  /** Default 'glorotUniform'. */
  kernelInitializer?: Initializer;
  /** Default 'zeros'. */
  biasInitializer?: Initializer;
}

/**
 * A layer; its tensors are named `layers.INDEX.TENSOR`, within a residual block `layers.INDEX.layers.INDEX.TENSOR`. Where
 * Keras and PyTorch differ, defaults and meanings are Keras's.
 */
export type LayerSpec =
  | DenseSpec
  /** `negativeSlope` (0.2) is leakyRelu's, `alpha` (1) elu's; at least 0. */
  | { type: 'activation'; activation: Activation; negativeSlope?: number; alpha?: number }
  /** x < 0 ? alpha * x : x with one alpha a column (PyTorch: one for all). Tensor `alpha` [in]; initially 'zeros'. */
  | { type: 'prelu'; alphaInitializer?: Initializer }
  /**
   * Sets a share `rate` (0 to below 1, taken in steps of 2^-16) of the numbers to 0 while training and scales the others by
   * 1 / (1 - rate).
   */
  | { type: 'dropout'; rate: number }
  /**
   * Each column less its batch's mean, divided by sqrt(variance + epsilon), times gamma, plus beta. The moving statistics,
   * for prediction, keep `momentum` (default 0.99) of themselves at every step; epsilon's default is 1e-3. All rows of a
   * batch pass at once, so memory grows with the batch. Tensors `gamma`, `beta`, `movingMean`, `movingVariance` [in].
   */
  | { type: 'batchNormalization'; momentum?: number; epsilon?: number }
  /** The same by row, without moving statistics. Tensors `gamma`, `beta` [in]. */
  | { type: 'layerNormalization'; epsilon?: number }
  /** x + block(x): the block must end with as many columns as it begins with. */
  | { type: 'residual'; layers: LayerSpec[] }
  /**
   * First layer only. Replaces columns that hold a category (an integer from 0 to below `categories`) by a vector of
   * `units` numbers each: the other columns keep their order, the vectors follow in the order of the tables. Tensors
   * `tables.INDEX` [categories, units], initially uniform within 0.05.
   */
  | { type: 'embedding'; tables: EmbeddingTable[]; initializer?: Initializer };

export interface EmbeddingTable {
  column: number;
  categories: number;
  units: number;
}

export interface NetworkSpec {
  inputs: number;
  layers: LayerSpec[];
}

/**
 * How the weights of a network are kept for prediction. int8: a scale for each output of a layer, about 7 bits; the inputs
 * of a layer are measured row by row, or, with calibration, once on the given rows [rows, inputs]. bfloat16: the upper 16
 * bits of float32.
 */
export type QuantizationOptions =
  | { type: 'int8'; calibration: { input: Float32Array; rows: number } | null }
  | { type: 'bfloat16' };

/** Fields that are left out have Keras's defaults. */
interface AdamFields {
  /** 0.001 */
  learningRate?: number;
  /** 0.9 */
  beta1?: number;
  /** 0.999 */
  beta2?: number;
  /** 1e-7, added after the correction of the second moment as in the paper's algorithm 1 and in PyTorch. */
  epsilon?: number;
  /** false. Reddi et al. 2018. */
  amsgrad?: boolean;
}

/**
 * The formulas and their sources are in engine/optimizer.h. Adam is that of Kingma and Ba 2015, algorithm 1.
 * `weightDecay` is decoupled (Loshchilov and Hutter 2019): before each step every trainable parameter, biases included,
 * becomes w - rate * weightDecay * w. It is 0 unless given, and 0.004 for adamW (PyTorch: 0.01).
 */
export type OptimizerSpec = { weightDecay?: number } & (
  | { type: 'gradientDescent'; learningRate: number }
  /** `momentum` 0, `nesterov` false. */
  | { type: 'sgd'; learningRate: number; momentum?: number; nesterov?: boolean }
  | ({ type: 'adam' | 'adamW' } & AdamFields)
  /** `learningRate` 0.001, `rho` 0.9 (PyTorch: 0.99), `momentum` 0, `epsilon` 1e-7, `centered` false. */
  | {
      type: 'rmsprop';
      learningRate?: number;
      rho?: number;
      momentum?: number;
      epsilon?: number;
      centered?: boolean;
    }
  /** `learningRate` 0.001 (PyTorch: 0.01), `initialAccumulator` 0.1 (PyTorch: 0), `epsilon` 1e-7. */
  | { type: 'adagrad'; learningRate?: number; initialAccumulator?: number; epsilon?: number }
  /** `learningRate` 0.001 (PyTorch and the paper: 1), `rho` 0.95, `epsilon` 1e-7. */
  | { type: 'adadelta'; learningRate?: number; rho?: number; epsilon?: number }
  /** `learningRate` 0.001, `beta1` 0.9, `beta2` 0.99. */
  | { type: 'lion'; learningRate?: number; beta1?: number; beta2?: number }
);

/**
 * The learning rate by the steps done; the formulas are in engine/schedule.h. Rates fall from the optimizer's
 * `learningRate`, except for oneCycle, which has its own. During the first `warmupSteps` (0) steps the rate rises in a
 * line from 0; the schedule begins after them.
 */
export type Schedule = { warmupSteps?: number } & (
  | { type: 'constant' }
  /** Times `factor` every `steps` steps. */
  | { type: 'step'; steps: number; factor: number }
  /** Times `factor` within `steps` steps, bit by bit, or all at their end with `staircase` (false). */
  | { type: 'exponential'; steps: number; factor: number; staircase?: boolean }
  /** To `endRate` (0.0001) within `steps`, by `power` (1); with `cycle` (false) it begins again, longer each time. */
  | { type: 'polynomial'; steps: number; endRate?: number; power?: number; cycle?: boolean }
  /**
   * To `alpha` (0) times the rate within `steps`. With `restarts` it begins again after `steps`, each time
   * `lengthFactor` (2) as long and `rateFactor` (1) as high.
   */
  | {
      type: 'cosine';
      steps: number;
      alpha?: number;
      restarts?: { lengthFactor?: number; rateFactor?: number };
    }
  /**
   * PyTorch's OneCycleLR: from maximumRate / initialDivisor (25) up to maximumRate within `risingShare` (0.3) of
   * `steps`, then down to maximumRate / initialDivisor / finalDivisor (1e4). Momentum does not change.
   */
  | {
      type: 'oneCycle';
      steps: number;
      maximumRate: number;
      risingShare?: number;
      annealing?: 'cosine' | 'linear';
      initialDivisor?: number;
      finalDivisor?: number;
      threePhases?: boolean;
    }
  /**
   * Times `factor` (0.1), not below `minimumRate` (0), when `trainer.observe` has been told `patience` (10) metrics in a
   * row that are not better by `minimumDelta` (1e-4) than the best; then `cooldown` (0) metrics are not counted. Better
   * is smaller, or larger with `mode` 'maximum'.
   */
  | {
      type: 'plateau';
      factor?: number;
      patience?: number;
      minimumDelta?: number;
      cooldown?: number;
      minimumRate?: number;
      mode?: 'minimum' | 'maximum';
    }
);

/** As if l1 * sum |w| + l2 * sum w^2 were added to the loss, for kernels only. Reported losses are without it. Both 0. */
export interface Regularization {
  l1?: number;
  l2?: number;
}

/**
 * What is done to the gradient, regularisation included, before the optimizer sees it: every element is cut at -value
 * and value; or each tensor is scaled to a norm of at most `norm`; or all together to one of at most `globalNorm`.
 */
export type Clipping = { value: number } | { norm: number } | { globalNorm: number };

/** Keeps a moving average of the weights, decay * average + (1 - decay) * weights after each step. `decay` is 0.99. */
export interface Averaging {
  decay?: number;
}

/** How numbers are stored. float16 is IEEE 754 binary16, by its bits. */
export type ElementType = 'uint8' | 'float16' | 'float32' | 'int32';

/** Some columns of a dataset: row-major [rows, columns]. The network sees float32 `value * scale + offset`, rounded twice. */
export type FeatureBlock = {
  columns: number;
  /** Default 1. */
  scale?: number;
  /** Default 0. */
  offset?: number;
} & (
  | { type: 'uint8'; data: Uint8Array | MappedArray }
  /** IEEE 754 binary16, by its bits. */
  | { type: 'float16'; data: Uint16Array | MappedArray }
  | { type: 'float32'; data: Float32Array | MappedArray }
  /** Numbers beyond 2^24 are rounded to the nearest float32. */
  | { type: 'int32'; data: Int32Array | MappedArray }
);

/**
 * A dataset. It is read where it lies and never copied: while a call is under way the arrays must not be changed. Their
 * buffers are marked as untransferable by the first such call.
 */
export interface Examples {
  rows: number;
  /** Side by side, in the order of the network's inputs; their columns add up to these. */
  features: FeatureBlock[];
  /** [rows, outputs] numbers, or for categoricalCrossEntropy the class of each row. */
  targets: Int32Array | Float32Array | MappedArray;
  /** [rows], 0 or more: a factor for each row's loss, beside that of its class. Accuracy does not count it. Default 1. */
  weights?: Float32Array;
}

/**
 * Which rows an epoch takes, in which order; fixed by (seed, epoch). The formulas are in engine/sampler.h.
 * - shuffle: every row once.
 * - sequential: every row once, as they lie.
 * - weighted: as many draws as rows, with replacement, each row as likely as its weight [rows]; weights are copied, finite
 *   and not negative. PyTorch's WeightedRandomSampler.
 * - stratified: every row once, each batch with nearly the classes' proportions of the whole; needs targets that are
 *   classes.
 */
export type Sampling =
  | { type: 'shuffle' }
  | { type: 'sequential' }
  | { type: 'weighted'; weights: Float32Array }
  | { type: 'stratified' };

/**
 * Random changes to an image among the features, which leave what it shows the same; in training only, fixed by (seed, epoch, row).
 * In this order: flips, rotation about the middle, shift, cut-out, noise. What comes in from outside and what is cut out is 0 as
 * it is stored. All strengths 0: nothing is changed.
 */
export interface Augmentation {
  /** Of the image among the network's inputs, where it lies as [height, width, channels], within one block of uint8 or float32. */
  firstColumn: number;
  height: number;
  width: number;
  /** 1 to 4. */
  channels: number;
  /** Probability, 0 to 1. */
  flipHorizontally: number;
  /** Probability, 0 to 1. */
  flipVertically: number;
  /** At most, either way, 0 to 180. Pixels in between are interpolated. */
  rotationDegrees: number;
  /** Pixels at most along each axis, either way. */
  shift: number;
  /** Side of a square around any pixel, cut off at the edges (DeVries and Taylor 2017), in pixels. */
  cutOut: number;
  /** Standard deviation, in units of what the network reads; bytes stay within their range. */
  noise: number;
}

export interface TrainerOptions {
  loss: Loss;
  optimizer: OptimizerSpec;
  /** Constant unless given. */
  schedule?: Schedule | null;
  regularization?: Regularization | null;
  clipping?: Clipping | null;
  averaging?: Averaging | null;
  /** Rows a step; `'full'` takes all examples in one step an epoch. The last, shorter batch is trained as well. */
  batchSize: number | 'full';
  /** From 0 to 2^53 - 1. Together with the epoch's number it fixes the order of the examples. */
  seed: number;
  /** 0: as many as the process may use. The results have the same bits for every number. */
  threads: number;
  /** Default: shuffle. */
  sampling?: Sampling;
  /** One for each image that is to be changed; their random numbers are independent. Default: none. */
  augmentations?: Augmentation[];
}

/** Means over the examples of the epoch so far, each measured with the weights as they were when its batch came. */
export interface EpochProgress {
  epoch: number;
  step: number;
  steps: number;
  examples: number;
  loss: number;
  /** null where the loss has none, see `Loss`. */
  accuracy: number | null;
  examplesPerSecond: number;
  /** Of the last step. */
  learningRate: number;
  /** Since the call began. */
  seconds: number;
}

export interface EpochResult {
  epoch: number;
  /** Steps of the epoch that are done; as many as `steps` when it is. */
  step: number;
  steps: number;
  examples: number;
  loss: number;
  accuracy: number | null;
  seconds: number;
  /** Of the last step. */
  learningRate: number;
}

export interface Evaluation {
  /** sum(weight * loss) / rows. */
  loss: number;
  accuracy: number | null;
  /** [classes * classes], row = truth, column = answer; null unless the loss is categoricalCrossEntropy. */
  confusion: Int32Array | null;
}

export interface Gradients {
  loss: number;
  /** By tensor name as in the files: `layers.0.kernel` [in, units], `layers.0.bias` [units]. Moving statistics are 0. */
  parameters: Record<string, Float32Array>;
  /** [rows, inputs], with respect to the scaled features. */
  inputs: Float32Array;
}

/**
 * Float32 numbers, little-endian: as they are, or as the bytes of a message, which may begin anywhere in their buffer and are
 * read where they lie.
 */
export type Float32Bytes = Float32Array | Uint8Array;

export interface EngineInfo {
  version: string;
  instructionSet: 'avx512' | 'avx2' | 'portable';
  blas: string;
  blasCore: string;
  blasLibrary: string;
  /** As `availableCores()`. */
  threads: number;
  /** What makes this machine slower than it could be, each with its remedy. */
  warnings: string[];
}
