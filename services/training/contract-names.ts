import type { Activation, Initializer, LabelKind, Loss } from './training-spec.js';

// What the contract calls our words: on the wire, and in messages to whoever wrote a spec.

export const activationNames = {
  linear: 'ACTIVATION_LINEAR',
  sigmoid: 'ACTIVATION_SIGMOID',
  tanh: 'ACTIVATION_TANH',
  relu: 'ACTIVATION_RELU',
  softmax: 'ACTIVATION_SOFTMAX',
} as const satisfies Record<Activation, string>;

export const initializerNames = {
  glorotUniform: 'INITIALIZER_GLOROT_UNIFORM',
  glorotNormal: 'INITIALIZER_GLOROT_NORMAL',
  heUniform: 'INITIALIZER_HE_UNIFORM',
  heNormal: 'INITIALIZER_HE_NORMAL',
  zeros: 'INITIALIZER_ZEROS',
} as const satisfies Record<Initializer, string>;

export const lossNames = {
  meanSquaredError: 'LOSS_MEAN_SQUARED_ERROR',
  binaryCrossEntropy: 'LOSS_BINARY_CROSS_ENTROPY',
  categoricalCrossEntropy: 'LOSS_CATEGORICAL_CROSS_ENTROPY',
} as const satisfies Record<Loss, string>;

export const labelKindNames = {
  classes: 'KIND_CLASSES',
  binary: 'KIND_BINARY',
  number: 'KIND_NUMBER',
  labels: 'KIND_LABELS',
} as const satisfies Record<LabelKind, string>;
