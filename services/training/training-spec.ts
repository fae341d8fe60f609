/** What decides a training run, in the engine's words: what `TrainingSpec` is on the wire, with every default filled in. */
export interface TrainingSpec {
  /** `datasets/NAME/versions/N` in a job; `datasets/NAME` is allowed in a request only. */
  dataset: string;
  pipeline: PipelineRequest;
  split: SplitRequest;
  layers: LayerSpec[];
  loss: Loss;
  optimizer: Optimizer;
  /** Rows a step; `full` with gradient descent only. */
  batchSize: number | 'full';
  epochs: number;
  seed: number;
  publish: PublishSpec;
}

/** A spec as a caller sent it: `null` and `undefined` stand where a field was left out or names something unknown. */
export interface SpecDraft {
  dataset: string;
  pipeline: PipelineRequest | null;
  split: SplitRequest | null;
  layers: LayerDraft[];
  loss: Loss | null;
  optimizer: OptimizerDraft | null;
  /** 0: not given. */
  batchSize: number;
  epochs: number;
  seed: number;
  publish: PublishSpec | null;
}

/** What preprocessing is asked to fit. It alone knows what the message says; training looks at the label's kind only. */
export interface PipelineRequest {
  labelKind: LabelKind | null;
  /** `PipelineSpec` as it came. */
  message: object;
}

/** Which rows are for what. */
export interface SplitRequest {
  /** `SplitSpec` as it came. */
  message: object;
}

export type Activation = 'linear' | 'sigmoid' | 'tanh' | 'relu' | 'softmax';
export type Initializer = 'glorotUniform' | 'glorotNormal' | 'heUniform' | 'heNormal' | 'zeros';
export type Loss = 'meanSquaredError' | 'binaryCrossEntropy' | 'categoricalCrossEntropy';
export type LabelKind = 'classes' | 'binary' | 'number' | 'labels';

export interface LayerSpec {
  units: number;
  activation: Activation;
  kernelInitializer: Initializer;
}

export interface LayerDraft {
  units: number;
  activation: Activation | null;
  kernelInitializer: Initializer | null;
}

export type Optimizer =
  | { type: 'gradientDescent'; learningRate: number }
  | { type: 'sgd'; learningRate: number; momentum: number; nesterov: boolean }
  | { type: 'adam'; learningRate: number; beta1: number; beta2: number; epsilon: number };

type Draft<O> = O extends { type: infer T } ? { type: T } & Partial<Omit<O, 'type'>> : never;
export type OptimizerDraft = Draft<Optimizer>;

export interface PublishSpec {
  /** `models/NAME` */
  model: string;
  aliases: string[];
}

/** A pipeline that preprocessing has fitted. */
export interface FittedPipeline {
  /** `pipelines/ID` */
  name: string;
  digest: string;
  /** `datasets/NAME/versions/N` */
  datasetVersion: string;
  datasetDigest: string;
  /** `pipeline.json` */
  definition: string;
  featureCount: number;
  featureType: 'uint8' | 'float32';
  featureScale: number;
  featureOffset: number;
  /** Names in the order of the network's outputs; two for one output that tells them apart; empty: the label is a number. */
  classes: string[];
  rowCounts: Record<Split, number>;
  /** Of a label that is standardised; null: targets are the labels themselves. Jobs made before there was this have none. */
  labelUnits?: { scale: number; offset: number } | null;
}

export type Split = 'train' | 'validation' | 'test';

const optimizerDefaults = {
  gradientDescent: { learningRate: 0.01 },
  sgd: { learningRate: 0.01, momentum: 0, nesterov: false },
  adam: { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 },
};
const batchSizeDefault = 32;

/** Fills in the defaults; the draft must have passed `checkSpec`. Fields stand in one order, so that equal specs are equal JSON. */
export function resolveSpec(draft: SpecDraft): TrainingSpec {
  const { pipeline, split, loss, optimizer, publish } = draft;
  if (!pipeline || !loss || !optimizer || !publish) {
    throw new Error('resolveSpec: the draft was not checked');
  }
  return {
    dataset: draft.dataset,
    pipeline,
    split: split ?? { message: {} },
    layers: draft.layers.map(({ units, activation, kernelInitializer }) => ({
      units,
      activation: activation!,
      kernelInitializer: kernelInitializer ?? 'glorotUniform',
    })),
    loss,
    optimizer: resolveOptimizer(optimizer),
    batchSize: optimizer.type === 'gradientDescent' ? 'full' : draft.batchSize || batchSizeDefault,
    epochs: draft.epochs,
    seed: draft.seed,
    publish: { model: publish.model, aliases: publish.aliases },
  };
}

function resolveOptimizer(draft: OptimizerDraft): Optimizer {
  const defaults = optimizerDefaults[draft.type];
  const given = Object.fromEntries(Object.entries(draft).filter(([, value]) => value !== undefined));
  return { type: draft.type, ...defaults, ...given } as Optimizer;
}

/** Weights and biases of the layers. */
export function parameterCount(inputs: number, layers: { units: number }[]): number {
  let count = 0;
  let fanIn = inputs;
  for (const { units } of layers) {
    count += fanIn * units + units;
    fanIn = units;
  }
  return count;
}
