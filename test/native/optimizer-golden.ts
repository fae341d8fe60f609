import {
  type Averaging,
  type Clipping,
  type Network,
  type OptimizerSpec,
  type Regularization,
  readSafetensors,
  type Schedule,
  Trainer,
} from '../../native/index.js';
import { floatBlock, networkWith, specOf } from './build-network.js';

/** What test/golden/make_optimizer_golden_*.py write. */
export interface OptimizerCase {
  optimizer: OptimizerSpec;
  schedule?: Schedule;
  regularization?: Regularization;
  clipping?: Clipping;
  averaging?: Averaging;
  expected: { losses: number[]; parameters: number[][]; average?: number[][] };
}

export interface GoldenFile {
  versions: Record<string, string>;
  shape: { rows: number; inputs: number; hidden: number; outputs: number };
  parameters: number[][];
  features: number[];
  targets: number[];
  optimizers: OptimizerCase[];
  schedules: {
    learningRate: number;
    curves: { schedule: Schedule; rates: number[] }[];
    plateaus?: { schedule: Schedule; metrics: number[]; rates: number[] }[];
  };
}

export const parameterNames = ['layers.0.kernel', 'layers.0.bias', 'layers.1.kernel', 'layers.1.bias'];

/** The network, trainer and examples of a golden file, and what identifies a case in a test's name. */
export function startOf(file: GoldenFile, { expected: _, ...options }: OptimizerCase) {
  const { rows, inputs, hidden, outputs } = file.shape;
  const network = networkWith(specOf(inputs, `${hidden} tanh`, `${outputs} softmax`), file.parameters);
  const trainer = new Trainer(network, {
    ...options,
    loss: 'categoricalCrossEntropy',
    batchSize: 'full',
    seed: 0,
    threads: 1,
  });
  const examples = {
    rows,
    features: floatBlock(inputs, Float32Array.from(file.features)),
    targets: Int32Array.from(file.targets),
  };
  return { network, trainer, examples };
}

export function titled(cases: OptimizerCase[]): [string, OptimizerCase][] {
  return cases.map((one) => {
    const { expected: _, optimizer, ...rest } = one;
    const others = Object.keys(rest).length > 0 ? ` with ${JSON.stringify(rest)}` : '';
    return [`${JSON.stringify(optimizer)}${others}`, one];
  });
}

export function parametersOf(network: Network): Float32Array[] {
  const { tensors } = readSafetensors(network.toSafetensors({}));
  return parameterNames.map((name) => tensors.get(name)!.data as Float32Array);
}

export function distanceBetween(actual: ArrayLike<number>[], expected: ArrayLike<number>[]): number {
  let largest = 0;
  for (const [index, values] of expected.entries()) {
    if (values.length !== actual[index]?.length) throw new Error(`Tensor ${index} has another size.`);
    for (let at = 0; at < values.length; at += 1) {
      const distance = Math.abs(values[at]! - actual[index]![at]!);
      largest = Number.isNaN(distance) ? Number.POSITIVE_INFINITY : Math.max(largest, distance);
    }
  }
  return largest;
}
