import { type DenseSpec, Network } from '../../../native/index.js';
import type { PipelineDefinition } from '../../../services/pipeline/index.js';
import { serialisePipeline } from '../../../services/pipeline/index.js';
import { type Files, json } from '../../support/published-model.js';
import { seedInputs, seedOutputs } from './requests.js';

export interface DenseNetwork {
  inputs: number;
  layers: DenseSpec[];
  classes: string[];
}

const hidden: DenseSpec = { type: 'dense', units: 128, activation: 'relu', kernelInitializer: 'glorotUniform' };

/** The seed's example: 784-128-128-10. */
export const seedNetwork: DenseNetwork = {
  inputs: seedInputs,
  layers: [
    hidden,
    hidden,
    { type: 'dense', units: seedOutputs, activation: 'softmax', kernelInitializer: 'glorotUniform' },
  ],
  classes: Array.from({ length: seedOutputs }, (_, digit) => String(digit)),
};

/** As much comes out of it as goes in, and it computes little for that. */
export const wideWidth = 256;
export const wideNetwork: DenseNetwork = {
  inputs: wideWidth,
  layers: [{ type: 'dense', units: wideWidth, activation: 'linear', kernelInitializer: 'glorotUniform' }],
  classes: [],
};

/** The files of a version of it, drawn from the seed. */
export function networkFiles({ inputs, layers, classes }: DenseNetwork, seed: number): Files {
  const network = Network.create({ inputs, layers }, seed);
  const outputs = layers.at(-1)!.units;
  const pipeline: PipelineDefinition = {
    format: 'millrace.pipeline/1',
    columns: [{ column: 'image', type: 'float32', width: inputs, shape: [inputs], steps: [] }],
    label: classes.length > 0 ? { column: 'label', kind: 'classes', classes } : { column: 'label', kind: 'number' },
    features: { count: inputs, type: 'float32', scale: 1, offset: 0 },
  };
  const files = {
    'model.safetensors': network.toSafetensors({}),
    'network.json': json({ format: 'millrace.network/1', inputs, layers, loss: 'categoricalCrossEntropy' }),
    'pipeline.json': serialisePipeline(pipeline),
    'signature.json': json({
      format: 'millrace.signature/1',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, inputs] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, outputs] }],
      classes,
    }),
    'report.json': json({ format: 'millrace.report/1', test: null, epochs: [] }),
  };
  network.dispose();
  return files;
}

/** What the network drawn from the seed answers, asked directly. */
export function directAnswer({ inputs, layers }: DenseNetwork, seed: number, input: Float32Array): Float32Array {
  const network = Network.create({ inputs, layers }, seed);
  const output = network.predict(input, input.length / inputs);
  network.dispose();
  return output;
}
