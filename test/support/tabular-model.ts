import { type DenseSpec, Network } from '../../native/index.js';
import { classesOf, numberNamesOf, type PipelineDefinition, serialisePipeline } from '../../services/pipeline/index.js';
import { type Files, json } from './published-model.js';

export const tiers = ['gold', 'silver', 'bronze'];
export const wishes = ['quiet', 'view', 'garden'];
export const places = ['hill', 'lake', 'town'];

const labels: Record<PipelineDefinition['label']['kind'], PipelineDefinition['label']> = {
  classes: { column: 'tier', kind: 'classes', classes: tiers },
  binary: { column: 'kept', kind: 'binary', classes: ['no', 'yes'] },
  number: { column: 'price', kind: 'number' },
  numbers: { columns: ['price', 'nights'], kind: 'numbers' },
  labels: { columns: ['wishes'], kind: 'labels', classes: wishes },
};

const inputs = 8;

/** The files of a model that reads a table: a real network, drawn from the seed. */
export function tabularFiles(seed: number, kind: keyof typeof labels = 'classes'): Files {
  const label = labels[kind];
  const last: DenseSpec = {
    classes: { type: 'dense', units: tiers.length, activation: 'softmax', kernelInitializer: 'glorotUniform' } as const,
    binary: { type: 'dense', units: 1, activation: 'sigmoid', kernelInitializer: 'glorotUniform' } as const,
    number: { type: 'dense', units: 1, activation: 'linear', kernelInitializer: 'glorotUniform' } as const,
    numbers: { type: 'dense', units: 2, activation: 'linear', kernelInitializer: 'glorotUniform' } as const,
    labels: { type: 'dense', units: wishes.length, activation: 'sigmoid', kernelInitializer: 'glorotUniform' } as const,
  }[kind];
  const layers: DenseSpec[] = [{ type: 'dense', units: 8, activation: 'relu', kernelInitializer: 'heUniform' }, last];
  const network = Network.create({ inputs, layers }, seed);
  const pipeline: PipelineDefinition = {
    format: 'millrace.pipeline/1',
    columns: [
      {
        column: 'age',
        type: 'float64',
        width: null,
        shape: [],
        steps: [{ kind: 'standardise', subtract: 40, divide: 12 }],
      },
      { column: 'visits', type: 'int64', width: null, shape: [], steps: [{ kind: 'impute', value: 3 }] },
      { column: 'member', type: 'boolean', width: null, shape: [], steps: [] },
      { column: 'place', type: 'text', width: null, shape: [], steps: [{ kind: 'oneHot', categories: places }] },
      { column: 'spot', type: 'float32', width: 2, shape: [], steps: [] },
    ],
    label,
    features: { count: inputs, type: 'float32', scale: 1, offset: 0 },
  };
  const files = {
    'model.safetensors': network.toSafetensors({}),
    'network.json': json({ format: 'millrace.network/1', inputs, layers, loss: 'categoricalCrossEntropy' }),
    'pipeline.json': serialisePipeline(pipeline),
    'signature.json': json({
      format: 'millrace.signature/1',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, inputs] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, layers.at(-1)!.units] }],
      classes: classesOf(label) ?? [],
      numbers: numberNamesOf(label) ?? [],
      multiLabel: label.kind === 'labels',
    }),
    'report.json': json({ format: 'millrace.report/1', test: null, epochs: [] }),
  };
  network.dispose();
  return files;
}
