import { z } from 'zod';
import { activations, initializerNames, lossNames } from '../../native/index.js';

const activation = z.enum(activations);
const initializer = z.union([
  z.enum(initializerNames),
  z.strictObject({ type: z.literal('constant'), value: z.number() }),
  z.strictObject({ type: z.literal('uniform'), limit: z.number().positive() }),
]);

const widthMax = 1_000_000;
const layersMax = 1_000;
export const width = z.number().int().min(1).max(widthMax);
const notNegative = z.number().min(0);

const table = z.strictObject({
  column: z
    .number()
    .int()
    .min(0)
    .max(widthMax - 1),
  categories: width,
  units: width,
});

const layer = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('dense'),
    units: width,
    activation: activation.default('linear'),
    useBias: z.boolean().default(true),
    kernelInitializer: initializer.default('glorotUniform'),
    biasInitializer: initializer.default('zeros'),
  }),
  z.strictObject({
    type: z.literal('activation'),
    activation,
    negativeSlope: notNegative.optional(),
    alpha: notNegative.optional(),
  }),
  z.strictObject({ type: z.literal('prelu'), alphaInitializer: initializer.default('zeros') }),
  z.strictObject({ type: z.literal('dropout'), rate: z.number().min(0).lt(1) }),
  z.strictObject({
    type: z.literal('batchNormalization'),
    momentum: z.number().min(0).max(1).default(0.99),
    epsilon: z.number().positive().default(1e-3),
  }),
  z.strictObject({ type: z.literal('layerNormalization'), epsilon: z.number().positive().default(1e-3) }),
  z.strictObject({
    type: z.literal('residual'),
    get layers() {
      return layers;
    },
  }),
  z.strictObject({
    type: z.literal('embedding'),
    tables: z.array(table).min(1).max(layersMax),
    initializer: initializer.default({ type: 'uniform', limit: 0.05 }),
  }),
]);

type LayerFile = z.output<typeof layer>;
const layers: z.ZodArray<typeof layer> = z.array(layer).min(1).max(layersMax);

/** `network.json`, every layer that the engine has. */
export const networkFile = z.strictObject({
  format: z.literal('millrace.network/1'),
  inputs: width,
  layers,
  loss: z.enum(lossNames),
});

export type NetworkFile = z.output<typeof networkFile>;

/** Columns that come out of the network. */
export function outputWidth({ inputs, layers }: NetworkFile): number {
  return layers.reduce(widthAfter, inputs);
}

function widthAfter(inputs: number, layer: LayerFile): number {
  switch (layer.type) {
    case 'dense':
      return layer.units;
    case 'embedding':
      return layer.tables.reduce((sum, { units }) => sum + units, inputs - layer.tables.length);
    default:
      return inputs;
  }
}
