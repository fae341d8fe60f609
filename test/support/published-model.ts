import { type DenseSpec, Network } from '../../native/index.js';
import { contracts, createClient, type RpcClient } from '../../proto/index.js';
import { classesOf, type PipelineDefinition, serialisePipeline } from '../../services/pipeline/index.js';
import { digestOf } from '../../services/platform/blob-store.js';

export type RegistryClient = RpcClient<(typeof contracts.registry)['clientType']>;
export type Files = Record<string, Uint8Array>;

export const registryClient = (port: number): RegistryClient => createClient(contracts.registry, `127.0.0.1:${port}`);

/** What a model for tests is made of. Every seed gives other weights. */
export interface ModelParts {
  seed: number;
  label?: PipelineDefinition['label'];
  layers?: DenseSpec[];
}

export const inputWidth = 16;
export const classNames = ['ant', 'bee', 'cat'];

const threeClasses: PipelineDefinition['label'] = { column: 'animal', kind: 'classes', classes: classNames };
const threeOutputs: DenseSpec[] = [
  { type: 'dense', units: 8, activation: 'relu', kernelInitializer: 'heUniform' },
  { type: 'dense', units: 3, activation: 'softmax', kernelInitializer: 'glorotUniform' },
];

export const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

/** The files of a model of 4 x 4 images: a real network, drawn from the seed. */
export function modelFiles({ seed, label = threeClasses, layers = threeOutputs }: ModelParts): Files {
  const network = Network.create({ inputs: inputWidth, layers }, seed);
  const pipeline: PipelineDefinition = {
    format: 'millrace.pipeline/1',
    columns: [
      {
        column: 'image',
        type: 'uint8',
        width: inputWidth,
        shape: [4, 4],
        steps: [{ kind: 'scale', subtract: 0, divide: 255 }],
      },
    ],
    label,
    features: { count: inputWidth, type: 'uint8', scale: Math.fround(1 / 255), offset: 0 },
  };
  const files = {
    'model.safetensors': network.toSafetensors({}),
    'network.json': json({ format: 'millrace.network/1', inputs: inputWidth, layers, loss: 'categoricalCrossEntropy' }),
    'pipeline.json': serialisePipeline(pipeline),
    'signature.json': json({
      format: 'millrace.signature/1',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, inputWidth] }],
      outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, layers.at(-1)!.units] }],
      classes: classesOf(label) ?? [],
    }),
    'report.json': json({ format: 'millrace.report/1', test: null, epochs: [] }),
  };
  network.dispose();
  return files;
}

/** What the network of `modelFiles` answers, asked directly. */
export function expectedOutput({ seed, layers = threeOutputs }: ModelParts, input: Float32Array): Float32Array {
  const network = Network.create({ inputs: inputWidth, layers }, seed);
  const output = network.predict(input, input.length / inputWidth);
  network.dispose();
  return output;
}

/** Uploads the files and adds them as the next version. @returns its number */
export async function publish(
  registry: RegistryClient,
  model: string,
  files: Files,
  aliases: string[] = [],
): Promise<number> {
  await registry.createModel({ modelId: model }).catch(() => undefined);
  return addVersion(registry, model, await upload(registry, files), aliases);
}

type Artifacts = { path: string; digest: string }[];

export async function upload(registry: RegistryClient, files: Files): Promise<Artifacts> {
  const artifacts = [];
  for (const [path, bytes] of Object.entries(files)) {
    const blob = { digest: digestOf(bytes), sizeBytes: bytes.length };
    await registry.uploadBlob([{ blob }, ...chunksOf(bytes)]);
    artifacts.push({ path, digest: blob.digest });
  }
  return artifacts;
}

/** Adds what is uploaded as the next version. @returns its number */
export async function addVersion(
  registry: RegistryClient,
  model: string,
  artifacts: Artifacts,
  aliases: string[] = [],
): Promise<number> {
  const version = await registry.createModelVersion({
    parent: `models/${model}`,
    modelVersion: { artifacts },
    aliases,
    requestId: `${model} ${Math.random()}`,
  });
  return Number(version.name.split('/').at(-1));
}

const chunkBytes = 1024 * 1024;

function chunksOf(bytes: Uint8Array): { chunk: Buffer }[] {
  const chunks = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    chunks.push({ chunk: Buffer.from(bytes.subarray(at, at + chunkBytes)) });
  }
  return chunks;
}
