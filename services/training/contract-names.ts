import type { Comparison } from './promotion-condition.js';
import type { Activation, Annealing, Initializer, LabelKind, Loss, Sampling } from './training-spec.js';

// What the contract calls our words: on the wire, and in messages to whoever wrote a spec.

export const activationNames = {
  linear: 'ACTIVATION_LINEAR',
  sigmoid: 'ACTIVATION_SIGMOID',
  tanh: 'ACTIVATION_TANH',
  relu: 'ACTIVATION_RELU',
  softmax: 'ACTIVATION_SOFTMAX',
  leakyRelu: 'ACTIVATION_LEAKY_RELU',
  elu: 'ACTIVATION_ELU',
  selu: 'ACTIVATION_SELU',
  gelu: 'ACTIVATION_GELU',
  geluTanh: 'ACTIVATION_GELU_TANH',
  silu: 'ACTIVATION_SILU',
  softplus: 'ACTIVATION_SOFTPLUS',
  softsign: 'ACTIVATION_SOFTSIGN',
  hardSigmoid: 'ACTIVATION_HARD_SIGMOID',
} as const satisfies Record<Activation, string>;

export const initializerNames = {
  glorotUniform: 'INITIALIZER_GLOROT_UNIFORM',
  glorotNormal: 'INITIALIZER_GLOROT_NORMAL',
  heUniform: 'INITIALIZER_HE_UNIFORM',
  heNormal: 'INITIALIZER_HE_NORMAL',
  zeros: 'INITIALIZER_ZEROS',
  lecunUniform: 'INITIALIZER_LECUN_UNIFORM',
  lecunNormal: 'INITIALIZER_LECUN_NORMAL',
  orthogonal: 'INITIALIZER_ORTHOGONAL',
  ones: 'INITIALIZER_ONES',
} as const satisfies Record<Initializer, string>;

export const lossNames = {
  meanSquaredError: 'LOSS_MEAN_SQUARED_ERROR',
  binaryCrossEntropy: 'LOSS_BINARY_CROSS_ENTROPY',
  categoricalCrossEntropy: 'LOSS_CATEGORICAL_CROSS_ENTROPY',
  meanAbsoluteError: 'LOSS_MEAN_ABSOLUTE_ERROR',
  huber: 'LOSS_HUBER',
  logCosh: 'LOSS_LOG_COSH',
  poisson: 'LOSS_POISSON',
} as const satisfies Record<Loss, string>;

export const samplingNames = {
  shuffle: 'SAMPLING_SHUFFLE',
  sequential: 'SAMPLING_SEQUENTIAL',
  stratified: 'SAMPLING_STRATIFIED',
} as const satisfies Record<Sampling, string>;

export const annealingNames = {
  cosine: 'ANNEALING_COSINE',
  linear: 'ANNEALING_LINEAR',
} as const satisfies Record<Annealing, string>;

export const metricNames = {
  trainLoss: 'METRIC_TRAIN_LOSS',
  trainAccuracy: 'METRIC_TRAIN_ACCURACY',
  validationLoss: 'METRIC_VALIDATION_LOSS',
  validationAccuracy: 'METRIC_VALIDATION_ACCURACY',
  validationBalancedAccuracy: 'METRIC_VALIDATION_BALANCED_ACCURACY',
  validationMacroPrecision: 'METRIC_VALIDATION_MACRO_PRECISION',
  validationMacroRecall: 'METRIC_VALIDATION_MACRO_RECALL',
  validationMacroF1: 'METRIC_VALIDATION_MACRO_F1',
  validationWeightedF1: 'METRIC_VALIDATION_WEIGHTED_F1',
  validationTop5Accuracy: 'METRIC_VALIDATION_TOP_5_ACCURACY',
  validationRocAuc: 'METRIC_VALIDATION_ROC_AUC',
  validationAveragePrecision: 'METRIC_VALIDATION_AVERAGE_PRECISION',
  validationLogLoss: 'METRIC_VALIDATION_LOG_LOSS',
  validationBrierScore: 'METRIC_VALIDATION_BRIER_SCORE',
  validationRmse: 'METRIC_VALIDATION_RMSE',
  validationMae: 'METRIC_VALIDATION_MAE',
  validationMedianAbsoluteError: 'METRIC_VALIDATION_MEDIAN_ABSOLUTE_ERROR',
  validationR2: 'METRIC_VALIDATION_R2',
  validationSubsetAccuracy: 'METRIC_VALIDATION_SUBSET_ACCURACY',
  validationHammingLoss: 'METRIC_VALIDATION_HAMMING_LOSS',
  validationMicroF1: 'METRIC_VALIDATION_MICRO_F1',
} as const;

/** What may be followed from epoch to epoch. */
export type Metric = keyof typeof metricNames;

export const labelKindNames = {
  classes: 'KIND_CLASSES',
  binary: 'KIND_BINARY',
  number: 'KIND_NUMBER',
  numbers: 'KIND_NUMBERS',
  labels: 'KIND_LABELS',
} as const satisfies Record<LabelKind, string>;

export const comparisonNames = {
  '>=': 'COMPARISON_GREATER_OR_EQUAL',
  '>': 'COMPARISON_GREATER',
  '<=': 'COMPARISON_LESS_OR_EQUAL',
  '<': 'COMPARISON_LESS',
} as const satisfies Record<Comparison, string>;
