import { createHash } from 'node:crypto';
import {
  type Activation,
  type DenseSpec,
  type Examples,
  type FeatureBlock,
  type Initializer,
  Network,
  type NetworkSpec,
  type OptimizerSpec,
  type Tensor,
  Trainer,
  type TrainerOptions,
  writeSafetensors,
} from '../../native/index.js';

export const adam: OptimizerSpec = { type: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7 };

/** `specOf(4, '3 tanh', '2 softmax')`. */
export function specOf(inputs: number, ...layers: string[]): NetworkSpec {
  return {
    inputs,
    layers: layers.map((layer) => {
      const [units, activation, initializer = 'glorotUniform'] = layer.split(' ');
      return {
        type: 'dense',
        units: Number(units),
        activation: activation as Activation,
        kernelInitializer: initializer as Initializer,
      };
    }),
  };
}

export function trainerOf(network: Network, options: Partial<TrainerOptions> = {}): Trainer {
  return new Trainer(network, {
    loss: 'categoricalCrossEntropy',
    optimizer: adam,
    batchSize: 32,
    seed: 7,
    threads: 1,
    ...options,
  });
}

/** Parameters layer by layer: kernel [in, units] row-major, bias [units]. */
export function networkWith(spec: NetworkSpec, parameters: number[][]): Network {
  let inner = spec.inputs;
  const tensors = new Map<string, Tensor>();
  for (const [index, layer] of spec.layers.entries()) {
    const { units } = layer as DenseSpec;
    const [kernel, bias] = parameters.slice(2 * index).map((values) => Float32Array.from(values));
    tensors.set(`layers.${index}.kernel`, { shape: [inner, units], data: kernel! });
    tensors.set(`layers.${index}.bias`, { shape: [units], data: bias! });
    inner = units;
  }
  return Network.fromSafetensors(spec, writeSafetensors(tensors, {}));
}

/** Deterministic numbers between -1 and 1, without a pattern that a linear layer could follow. */
export function noise(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  return new Float32Array(count).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) / 2 ** 23 - 1;
  });
}

/** One block of float32 columns. */
export function floatBlock(columns: number, data: Float32Array): FeatureBlock[] {
  return [{ type: 'float32', columns, data }];
}

/** Learnable: the class is decided by the first features. */
export function examplesOf(rows: number, inputs: number, classes: number): Examples & { targets: Int32Array } {
  const features = noise(rows * inputs, rows);
  const targets = new Int32Array(rows).map((_, row) => {
    const value = (features[row * inputs]! + 1) / 2;
    return Math.min(classes - 1, Math.floor(value * classes));
  });
  return { rows, features: floatBlock(inputs, features), targets };
}

export function epochOptions(epoch = 0) {
  return { epoch, progressIntervalMs: 0, onProgress: null, signal: null };
}

export function digestOf(network: Network): string {
  return createHash('sha256').update(network.toSafetensors({})).digest('hex');
}
