import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Activation, type FeatureBlock, Network, Trainer } from '../../native/index.js';
import { Admission } from '../../services/inference/admission.js';
import type { LoadedVersion } from '../../services/inference/loaded-version.js';
import { toBytes, toFloats } from '../../services/inference/network-executable.js';
import { loadVersion } from '../../services/inference/version-loader.js';
import {
  classesOf,
  type FittedPipeline,
  numberNamesOf,
  parseFittedPipeline,
  type RawRecord,
  type StepSpec,
  serialisePipeline,
  targetWidth,
  transformRecords,
} from '../../services/pipeline/index.js';
import { joinBody } from '../../services/platform/arrow-messages.js';
import { fitPipeline } from '../../services/preprocessing/fit.js';
import type { LabelSpec } from '../../services/preprocessing/pipeline-spec.js';
import type { SplitName } from '../../services/preprocessing/split.js';
import { assignSplits } from '../../services/preprocessing/split-assignment.js';
import { encodeTensors } from '../../services/preprocessing/tensors.js';
import { createArtifacts } from '../../services/training/artifacts.js';
import { resolveSpec } from '../../services/training/spec-resolution.js';
import { TensorDecoder, type Tensors } from '../../services/training/tensor-decoder.js';
import type { LabelKind } from '../../services/training/training-spec.js';
import { tempFolder } from '../support/temp-folder.js';
import { byPart, byteSteps, columnSteps, contentOf, labels, rows } from './preprocessing/random-pipelines.js';
import { openTable, type TableContent } from './preprocessing/table.js';
import { fittedPipeline, validDraft } from './training/spec-draft.js';

const lastLayers: Record<
  LabelKind,
  [activation: Activation, loss: 'categoricalCrossEntropy' | 'binaryCrossEntropy' | 'meanSquaredError']
> = {
  classes: ['softmax', 'categoricalCrossEntropy'],
  binary: ['sigmoid', 'binaryCrossEntropy'],
  labels: ['sigmoid', 'binaryCrossEntropy'],
  number: ['linear', 'meanSquaredError'],
  numbers: ['linear', 'meanSquaredError'],
};
const caller = { throwIfGone: () => {} };
const limits = {
  admission: new Admission({ requestsMax: 100, bytesMax: 2 ** 30, threadsMax: 1 }),
  batchRowsMax: 100,
  messageBytesMax: 64 * 1024 * 1024,
};
const folder = tempFolder();
let versions = 0;

/** The tensors that preprocessing sends, as training reads them. */
async function prepare(content: TableContent, columns: Record<string, StepSpec[]>, label: LabelSpec) {
  const table = await openTable(content, 7);
  try {
    const spec = { columns: Object.entries(columns).map(([column, steps]) => ({ column, steps })), label };
    const { definition, rowCounts } = await fitPipeline(spec, byPart, table, new AbortController().signal);
    // As it is kept and published: JSON knows no minus zero, for one.
    const pipeline = parseFittedPipeline(serialisePipeline(definition));
    const assignment = await assignSplits(byPart, table);
    const read = async (split: SplitName) => {
      const { featureCount, featureType } = pipeline;
      const targetType = label.kind === 'classes' ? 'int32' : 'float32';
      const shape = { rows: rowCounts[split], featureCount, featureType, targetType } as const;
      const decoder = new TensorDecoder({ ...shape, targetWidth: targetWidth(pipeline.label), hasWeights: false });
      for await (const message of encodeTensors(pipeline, table, assignment, split)) {
        decoder.push(message.header, joinBody(message));
      }
      return decoder.finish();
    };
    return { pipeline, train: await read('train'), test: await read('test') };
  } finally {
    await table.close();
  }
}

/** A network that training made of the tensors, and the version of it that inference serves. */
async function publish(pipeline: FittedPipeline, kind: LabelKind) {
  const classes = [...(classesOf(pipeline.label) ?? [])];
  const [activation, loss] = lastLayers[kind];
  const numbers = [...(numberNamesOf(pipeline.label) ?? [])];
  const units = kind === 'classes' ? classes.length : (targetWidth(pipeline.label) ?? 1);
  const layers = [{ type: 'dense' as const, units, activation }];
  const { featureCount, featureType, featureScale, featureOffset } = pipeline;
  const network = Network.create({ inputs: featureCount, layers }, 7);
  const definition = serialisePipeline(pipeline.definition).toString();
  const parts = { definition, classes, numbers, featureCount, featureType, featureScale, featureOffset };
  const fitted = fittedPipeline(parts);
  const artifacts = createArtifacts({
    spec: resolveSpec(validDraft({ layers, loss, pipeline: { labelKind: kind, message: {} } }), fitted),
    pipeline: fitted,
    weights: network.toSafetensors({}),
    epochs: [],
    restoredEpoch: 0,
    tested: { test: null, evaluation: null, scores: [] },
  });
  const number = ++versions;
  const at = path.join(folder, String(number));
  mkdirSync(at);
  const files = new Map(Object.keys(artifacts).map((name) => [name, path.join(at, name)]));
  for (const [name, bytes] of Object.entries(artifacts)) {
    writeFileSync(files.get(name)!, bytes);
  }
  const digest = `sha256:${String(number).padStart(64, '0')}`;
  const version = await loadVersion({ id: number, model: 'drawn', number, digest, files }, limits);
  return { network, loss, version };
}

/** As a training run gives it to the engine. */
function blockOf(
  data: Tensors['features'],
  { featureCount, featureScale, featureOffset }: FittedPipeline,
): FeatureBlock {
  const form = { columns: featureCount, scale: featureScale, offset: featureOffset };
  return data instanceof Uint8Array ? { type: 'uint8', data, ...form } : { type: 'float32', data, ...form };
}

const bits = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);

/** What the engine makes of the tensors in training, against what inference makes of the records. */
async function compare(pipeline: FittedPipeline, kind: LabelKind, tensors: Tensors, records: RawRecord[]) {
  const { network, loss, version } = await publish(pipeline, kind);
  const trainer = new Trainer(network, {
    loss,
    optimizer: { type: 'sgd', learningRate: 0.1 },
    batchSize: 4,
    seed: 1,
    threads: 1,
  });
  try {
    const inputs = await version.transform!(records);
    const plain: FeatureBlock = { type: 'float32', columns: pipeline.featureCount, data: inputs };
    const trained = { rows: tensors.rows, targets: tensors.targets, features: [blockOf(tensors.features, pipeline)] };
    const served = { ...trained, features: [plain] };
    expect(await trainer.evaluate(served)).toEqual(await trainer.evaluate(trained));
    if (tensors.features instanceof Float32Array) {
      expect(bits(inputs).equals(bits(tensors.features))).toBe(true);
    }
    expect(bits(await outputsOf(version, inputs, records.length))).toEqual(
      bits(network.predict(inputs, records.length)),
    );
  } finally {
    trainer.dispose();
    network.dispose();
    version.retire();
  }
}

async function outputsOf(version: LoadedVersion, inputs: Float32Array, rowCount: number): Promise<Float32Array> {
  const urgency = { priority: 0, timeoutUs: 0 };
  const [output] = await version.compute({ inputs: [toBytes(inputs)], rows: rowCount, caller, urgency, timing: null });
  return toFloats(output!);
}

describe('what is trained on and what is served', () => {
  it('are the same bits, of tables with images, sounds, texts and times', async () => {
    const property = fc.asyncProperty(rows, columnSteps, labels, async (table, steps, label) => {
      const { pipeline, train, test } = await prepare(contentOf(table), steps, label);
      const records = table as unknown as RawRecord[];
      await compare(pipeline, label.kind!, test, records.slice(-3));
      // Only a target step encodes a row of the training split otherwise than a record.
      if (!Object.values(steps).some((chain) => chain.some(({ kind }) => kind === 'target'))) {
        await compare(pipeline, label.kind!, train, records.slice(0, -3));
      }
    });
    await fc.assert(property, { numRuns: 12 });
  }, 120_000);

  it('are the same bits, of images that stay bytes until the network reads them', async () => {
    const property = fc.asyncProperty(rows, byteSteps, labels, async (table, steps, label) => {
      const present = table.find(({ image }) => image)?.image;
      fc.pre(Boolean(present));
      const whole = table.map((record) => ({ ...record, image: record.image ?? present! }));
      const { pipeline, train } = await prepare(contentOf(whole), { image: steps }, label);
      expect(train.features).toBeInstanceOf(Uint8Array);
      const records = whole.map(({ image }): RawRecord => ({ image }));
      await compare(pipeline, label.kind!, train, records.slice(0, -3));
    });
    await fc.assert(property, { numRuns: 8 });
  }, 120_000);
});

describe('a target step', () => {
  it('gives no row of the training split an encoding that its own label is part of', async () => {
    const index = fc.nat();
    const smooth = fc.option(fc.double({ min: 0, max: 10, noNaN: true }), { nil: null });
    const property = fc.asyncProperty(
      rows,
      index,
      smooth,
      fc.integer({ min: 2, max: 6 }),
      async (table, at, rate, folds) => {
        const content = contentOf(table);
        const row = at % (table.length - 3);
        const [type, prices] = content.price!;
        const changed: TableContent = { ...content, price: [type, prices.with(row, 1_000)] };
        const impute = {
          kind: 'impute' as const,
          strategy: 'constant' as const,
          number: null,
          text: 'none',
          missingFlag: false,
        };
        const target = { kind: 'target' as const, categoriesMax: null, smooth: rate, folds };
        const label = { column: 'price', kind: 'number' as const };
        const [before, after] = await Promise.all(
          [content, changed].map((one) => prepare(one, { word: [impute, target] }, label)),
        );
        expect(after!.train.targets[row]).toBe(1_000);
        expect(after!.train.features[row]).toBe(before!.train.features[row]);
        // A record gets the encoding of all rows, that one too.
        const records: RawRecord[] = [{ word: table[row]!.word }];
        const [old, renewed] = await Promise.all(
          [before!, after!].map(({ pipeline }) => transformRecords(pipeline, records)),
        );
        expect(renewed).not.toEqual(old);
      },
    );
    await fc.assert(property, { numRuns: 12 });
  }, 60_000);
});
