import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { RecordBatchStreamWriter, tableFromArrays } from 'apache-arrow';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readSafetensors, type Tensor } from '../../native/index.js';
import { contracts, createClient, type RpcClient, RpcError } from '../../proto/index.js';
import { readConfig as readGatewayConfig } from '../../services/gateway/config.js';
import { startGateway } from '../../services/gateway/service.js';
import { parseFittedPipeline, transformRecords } from '../../services/pipeline/index.js';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig as readPreprocessingConfig } from '../../services/preprocessing/config.js';
import { startPreprocessing } from '../../services/preprocessing/service.js';
import { readConfig } from '../../services/training/config.js';
import { startTraining } from '../../services/training/service.js';
import { splitStream } from '../support/arrow-messages.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving, silentLog } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';
import {
  collect,
  pointsSpec,
  type RegistryClient,
  type SpecMessage,
  silent,
  type TrainingClient,
  trainingClientAt,
} from '../support/training-fixture.js';

type PreprocessingClient = RpcClient<typeof contracts.preprocessing.clientType>;

const folder = tempFolder();
const services: RunningService[] = [];
let preprocessing: PreprocessingClient;
let serving: Serving;
let preprocessingAddress: string;
let registry: RegistryClient;
let training: TrainingClient;

const houseCount = 600;

/**
 * Houses: the price grows with the size; large ones are expensive; the garden decides their kind. Tags say what they are, if anything.
 * @param lastGood the number of the last house that is as the others are; those after it are castles, and cheap
 */
function houses(lastGood = houseCount): string {
  const rows = ['number,size,garden,kind,expensive,price,isLarge,hasGarden,tags,rooms'];
  for (let i = 0; i < houseCount; i++) {
    const size = (i * 37) % 100;
    const garden = ['none', 'small', 'large'][i % 3]!;
    const [isLarge, hasGarden] = [size > 50, garden !== 'none'];
    const tags = [...(isLarge ? ['large'] : []), ...(hasGarden ? ['garden'] : [])].join('; ');
    const house = [
      ...[i, size, garden, `${garden}-house`, isLarge ? 'yes' : 'no', size / 50],
      ...[Number(isLarge), Number(hasGarden), `"${tags}"`, 100 + 2 * size],
    ];
    rows.push(
      (i > lastGood
        ? house
            .with(1, 5_000 + i)
            .with(2, 'park')
            .with(5, -7 * i)
        : house
      ).join(),
    );
  }
  return `${rows.join('\n')}\n`;
}

async function importHouses(dataset: string, content: string): Promise<void> {
  const file = path.join(folder, `${dataset}.csv`);
  writeFileSync(file, content);
  for await (const _ of preprocessing.importDataset({ dataset: `datasets/${dataset}`, paths: [file] })) {
    // The last message says that it is done.
  }
}

const columns = [
  { column: 'size', steps: [{ standardise: {} }] },
  { column: 'garden', steps: [{ oneHot: {} }] },
];

/** A spec on the houses with one hidden layer. */
function housesSpec(
  label: NonNullable<NonNullable<SpecMessage['pipeline']>['label']>,
  last: NonNullable<NonNullable<SpecMessage['network']>['layers']>[number],
  loss: SpecMessage['loss'],
): SpecMessage {
  return {
    dataset: 'datasets/houses',
    pipeline: { columns, label },
    split: { validationFraction: 0.1, testFraction: 0.2, seed: 3 },
    network: { layers: [{ units: 16, activation: 'ACTIVATION_TANH' }, last] },
    loss,
    optimizer: { adam: { learningRate: 0.02 } },
    batchSize: 16,
    epochs: 30,
    seed: 1,
    publish: { model: 'models/houses' },
  };
}

beforeAll(async () => {
  const args = ['--data-dir', folder, '--port', '0'];
  const preprocessingService = await startPreprocessing(readPreprocessingConfig(args, {}), silent);
  serving = await Serving.start(folder);
  const addresses = [
    `--preprocessing-address=127.0.0.1:${preprocessingService.port}`,
    `--registry-address=127.0.0.1:${serving.registryPort}`,
  ];
  const trainingService = await startTraining(readConfig([...args, ...addresses], {}), silent);
  services.push(trainingService, preprocessingService);
  preprocessingAddress = `127.0.0.1:${preprocessingService.port}`;
  preprocessing = createClient(contracts.preprocessing, preprocessingAddress);
  registry = serving.registry;
  training = trainingClientAt(trainingService.port);
  await importHouses('houses', houses());
});

afterAll(async () => {
  for (const client of [training, preprocessing]) {
    client?.close();
  }
  await serving?.stop();
  for (const service of services) {
    await service.stop();
  }
});

async function train(spec: SpecMessage) {
  const { name } = await training.createTrainingJob({ spec });
  const events = await collect(training.watchTrainingJob({ name }));
  expect(events.at(-1)?.stateChange).toMatchObject({ state: 'STATE_SUCCEEDED' });
  return training.getTrainingJob({ name });
}

async function readArtifact(modelVersion: string, name: string): Promise<Uint8Array> {
  const { artifacts } = await registry.getModelVersion({ name: modelVersion });
  const { digest } = artifacts.find(({ path: file }) => file === name)!;
  const chunks: Uint8Array[] = [];
  for await (const { chunk } of registry.downloadBlob({ digest })) {
    chunks.push(chunk);
  }
  return Uint8Array.from(Buffer.concat(chunks));
}

const house = (size: number, garden: string) => ({ values: { size: { number: size }, garden: { text: garden } } });

async function predict(modelVersion: string, records: ReturnType<typeof house>[]) {
  const [, name, , version] = modelVersion.split('/');
  await serving.serves(name!, version!, Number(version));
  const { predictions } = await serving.prediction.predict({ model: modelVersion, records });
  return predictions;
}

/** One row through a dense layer. */
function dense(row: Float32Array, kernel: Tensor, bias: Tensor): Float32Array {
  return bias.data.map((start, unit) =>
    row.reduce((sum, value, i) => sum + value * kernel.data[i * bias.data.length + unit]!, start),
  );
}

describe('training on what preprocessing prepares', () => {
  it('refuses a column, a step and a last layer that do not fit the dataset, all at once', async () => {
    const softmax = { units: 2, activation: 'ACTIVATION_SOFTMAX' as const };
    const spec = housesSpec({ column: 'kind', kind: 'KIND_CLASSES' }, softmax, 'LOSS_MEAN_SQUARED_ERROR');
    const pipeline = { ...spec.pipeline, columns: [{ column: 'sise' }, { column: 'garden', steps: [{ scale: {} }] }] };
    const { code, details } = await rpcFailure(training.createTrainingJob({ spec: { ...spec, pipeline } }));
    expect(code).toBe('INVALID_ARGUMENT');
    const fields = details.fieldViolations.map(({ field }) => field);
    expect(fields).toContain('spec.loss');
    expect(fields).toContain('spec.pipeline.columns[0].column');
    expect(fields).toContain('spec.pipeline.columns[1].steps[0].scale');
    const fitting = await rpcFailure(
      training.createTrainingJob({
        spec: housesSpec({ column: 'kind', kind: 'KIND_CLASSES' }, softmax, 'LOSS_CATEGORICAL_CROSS_ENTROPY'),
      }),
    );
    expect(fitting.details.fieldViolations).toEqual([
      {
        field: 'spec.network.layers[1].units',
        description: expect.stringContaining('to be 3, one for each class of the label, but received 2.'),
      },
    ]);
  });

  it('refuses a dataset and a version that are not there', async () => {
    for (const dataset of ['datasets/nothing', 'datasets/houses/versions/9']) {
      const spec = { ...pointsSpec(), dataset };
      const { code, details } = await rpcFailure(training.createTrainingJob({ spec }));
      expect(code).toBe('INVALID_ARGUMENT');
      expect(details.fieldViolations.map(({ field }) => field)).toEqual(['spec.dataset']);
    }
  });

  it('learns classes', async () => {
    const softmax = { units: 3, activation: 'ACTIVATION_SOFTMAX' as const };
    const label = { column: 'kind', kind: 'KIND_CLASSES' as const };
    const job = await train(housesSpec(label, softmax, 'LOSS_CATEGORICAL_CROSS_ENTROPY'));
    expect(job.spec?.dataset).toBe('datasets/houses/versions/1');
    expect(job.test).toMatchObject({ rowCount: 120, accuracy: 1 });
    const version = await registry.getModelVersion({ name: job.modelVersion });
    expect(version.lineage).toMatchObject({ spec: job.spec, datasetVersion: 'datasets/houses/versions/1' });
  });

  it('learns one of two', async () => {
    const sigmoid = { units: 1, activation: 'ACTIVATION_SIGMOID' as const };
    const label = { column: 'expensive', kind: 'KIND_BINARY' as const };
    const job = await train(housesSpec(label, sigmoid, 'LOSS_BINARY_CROSS_ENTROPY'));
    expect(job.test?.accuracy).toBeGreaterThan(0.95);
    const [cheap, expensive] = await predict(job.modelVersion, [house(10, 'none'), house(90, 'none')]);
    expect([cheap?.label, expensive?.label]).toEqual(['no', 'yes']);
    expect(expensive!.scores.map(({ label }) => label)).toEqual(['yes', 'no']);
  });

  it('learns several classes at once, of parted text and of columns, and answers them', async () => {
    const sigmoid = { units: 2, activation: 'ACTIVATION_SIGMOID' as const };
    const flags = { kind: 'KIND_LABELS' as const, columns: ['isLarge', 'hasGarden'] };
    const parted = { kind: 'KIND_LABELS' as const, column: 'tags', separator: ';' };
    for (const [label, classes] of [[flags, flags.columns] as const, [parted, ['garden', 'large']] as const]) {
      const job = await train(housesSpec(label, sigmoid, 'LOSS_BINARY_CROSS_ENTROPY'));
      // Of rows times classes; always answering no would be right in less than two thirds.
      expect(job.test).toMatchObject({ rowCount: 120 });
      expect(job.test!.accuracy).toBeGreaterThan(0.97);
      const houses = [house(10, 'none'), house(90, 'none'), house(10, 'large'), house(90, 'large')];
      const answers = await predict(job.modelVersion, houses);
      const [large, garden] = label === flags ? classes : classes.toReversed();
      expect(answers.map(({ labels }) => [...labels].sort())).toEqual(
        [[], [large], [garden], [large, garden]].map((names) => names.toSorted()),
      );
      for (const { label: single, scores } of answers) {
        expect(single).toBe('');
        expect(scores.map((score) => score.label).sort()).toEqual(classes.toSorted());
      }
    }
  });

  it('refuses another number of outputs than there are classes', async () => {
    const sigmoid = { units: 3, activation: 'ACTIVATION_SIGMOID' as const };
    const label = { kind: 'KIND_LABELS' as const, columns: ['isLarge', 'hasGarden'] };
    const spec = housesSpec(label, sigmoid, 'LOSS_BINARY_CROSS_ENTROPY');
    const { details } = await rpcFailure(training.createTrainingJob({ spec }));
    expect(details.fieldViolations.map(({ description }) => description)).toEqual([
      'Expected `spec.network.layers[1].units` to be 2, one for each class of the label, but received 3.',
    ]);
  });

  it('learns nothing from the rows of the test split, whatever they hold', async () => {
    const testRows = 120;
    await importHouses('castles', houses(houseCount - testRows - 1));
    const linear = { units: 1, activation: 'ACTIVATION_LINEAR' as const };
    const spec = {
      ...housesSpec({ column: 'price', kind: 'KIND_NUMBER' }, linear, 'LOSS_MEAN_SQUARED_ERROR'),
      split: { timeColumn: 'number', validationFraction: 0.1, testFraction: 0.2 },
      epochs: 3,
    };
    const artifacts = [];
    const tests = [];
    for (const dataset of ['datasets/houses', 'datasets/castles']) {
      const job = await train({ ...spec, dataset });
      const version = await registry.getModelVersion({ name: job.modelVersion });
      artifacts.push(version.artifacts.filter(({ path }) => /safetensors|pipeline|network/.test(path)));
      tests.push(job.test);
    }
    expect(artifacts[0]!.length).toBe(3);
    expect(artifacts[1]).toEqual(artifacts[0]);
    expect(tests).toMatchObject([{ rowCount: testRows }, { rowCount: testRows }]);
    expect(tests[1]!.loss).toBeGreaterThan(tests[0]!.loss + 1_000);
  });

  it('learns a number', async () => {
    const linear = { units: 1, activation: 'ACTIVATION_LINEAR' as const };
    const label = { column: 'price', kind: 'KIND_NUMBER' as const };
    const { test } = await train(housesSpec(label, linear, 'LOSS_MEAN_SQUARED_ERROR'));
    // Always answering the mean would give the prices' variance, a third.
    expect(test?.loss).toBeLessThan(0.01);
    expect(test?.accuracy).toBeUndefined();
  });

  it('learns a number that is standardised, and publishes a network that answers in its own units', async () => {
    const linear = { units: 1, activation: 'ACTIVATION_LINEAR' as const };
    const label = { column: 'price', kind: 'KIND_NUMBER' as const, standardise: true };
    const spec = housesSpec(label, linear, 'LOSS_MEAN_SQUARED_ERROR');
    const job = await train(spec);
    // Of a standardised label the variance is 1.
    expect(job.test?.loss).toBeLessThan(0.05);
    const pipeline = parseFittedPipeline(await readArtifact(job.modelVersion, 'pipeline.json'));
    const { tensors } = readSafetensors(await readArtifact(job.modelVersion, 'model.safetensors'));
    const features = await transformRecords(pipeline, [{ size: 75, garden: 'none' }]);
    const hidden = dense(features, tensors.get('layers.0.kernel')!, tensors.get('layers.0.bias')!).map(Math.tanh);
    const [price] = dense(hidden, tensors.get('layers.1.kernel')!, tensors.get('layers.1.bias')!);
    expect(Math.abs(price! - 1.5)).toBeLessThan(0.1);
  });

  it('learns several numbers, and answers each by name in its own units', async () => {
    const linear = { units: 2, activation: 'ACTIVATION_LINEAR' as const };
    const label = { kind: 'KIND_NUMBERS' as const, columns: ['price', 'rooms'], standardise: true };
    const job = await train(housesSpec(label, linear, 'LOSS_MEAN_SQUARED_ERROR'));
    expect(job.test).toMatchObject({ rowCount: 120 });
    expect(job.test!.accuracy).toBeUndefined();
    const [small, large] = await predict(job.modelVersion, [house(10, 'none'), house(75, 'large')]);
    expect(small).toMatchObject({ label: '', scores: [], numbers: [{ name: 'price' }, { name: 'rooms' }] });
    // Prices are a fiftieth of the size, rooms a hundred and its double: a number's spread is 0.6 and 58.
    for (const [{ numbers }, size] of [[small!, 10] as const, [large!, 75] as const]) {
      expect(Math.abs(numbers[0]!.value - size / 50)).toBeLessThan(0.1);
      expect(Math.abs(numbers[1]!.value - (100 + 2 * size))).toBeLessThan(10);
    }
    const report = JSON.parse(Buffer.from(await readArtifact(job.modelVersion, 'report.json')).toString());
    expect(report.evaluation).toMatchObject({ kind: 'numbers', targets: [{ name: 'price' }, { name: 'rooms' }] });
    expect(report.evaluation.figures.r2).toBeGreaterThan(0.95);
    const { metrics } = await registry.getModelVersion({ name: job.modelVersion });
    expect(metrics).toMatchObject({ test_r2: report.evaluation.figures.r2, test_rmse: expect.any(Number) });
  });

  it('refuses a last layer that cannot bring a standardised number back', async () => {
    const relu = { units: 1, activation: 'ACTIVATION_RELU' as const };
    const label = { column: 'price', kind: 'KIND_NUMBER' as const, standardise: true };
    const spec = housesSpec(label, relu, 'LOSS_MEAN_SQUARED_ERROR');
    const { details } = await rpcFailure(training.createTrainingJob({ spec }));
    expect(details.fieldViolations).toEqual([
      {
        field: 'spec.network.layers[1].activation',
        description: expect.stringContaining('ACTIVATION_LINEAR, since the label is standardised'),
      },
    ]);
  });
});

describe('a record that lacks a column and has another of another type', () => {
  /** The second of two. */
  const unfit = { values: { size: { text: 'wide' } } };
  const records = [house(10, 'none'), unfit];
  const fields = ['records[1].values["garden"]', 'records[1].values["size"]'];
  const fieldsOf = ({ details }: RpcError) => details.fieldViolations.map(({ field }) => field);
  let pipeline: string;
  let model: string;

  beforeAll(async () => {
    const sigmoid = { units: 1, activation: 'ACTIVATION_SIGMOID' as const };
    const label = { column: 'expensive', kind: 'KIND_BINARY' as const };
    const spec = { ...housesSpec(label, sigmoid, 'LOSS_BINARY_CROSS_ENTROPY'), epochs: 1 };
    const { dataset, pipeline: asked, split } = spec;
    pipeline = (await preprocessing.fitPipeline({ dataset, spec: asked, split })).name;
    model = (await train(spec)).modelVersion;
    await predict(model, [house(10, 'none')]);
  });

  it('is refused with its name and position by Predict and TransformRecords, by call and by stream', async () => {
    expect(fieldsOf(await rpcFailure(preprocessing.transformRecords({ pipeline, records })))).toEqual(fields);
    expect(fieldsOf(await rpcFailure(serving.prediction.predict({ model, records })))).toEqual(fields);
    const transformed = await collect(preprocessing.transformRecordsStream([{ pipeline, records }]));
    const predicted = await collect(serving.prediction.predictStream([{ model, records }]));
    const streamed = [...transformed, ...predicted].map(({ error }) => fieldsOf(RpcError.fromStatus(error!)));
    expect(streamed).toEqual([fields, fields]);
  });

  it('is so over HTTP', async () => {
    const address = `--inference-address=127.0.0.1:${serving.service.port}`;
    const gateway = await startGateway(readGatewayConfig(['--port=0', address], {}), silentLog);
    services.push(gateway);
    const body = JSON.stringify({ records: [{ size: 10, garden: 'none' }, { size: 'wide' }] });
    const answer = await fetch(`http://127.0.0.1:${gateway.port}/v1/${model}:predict`, { method: 'POST', body });
    expect(answer.status).toBe(400);
    const { error } = (await answer.json()) as { error: string };
    for (const field of fields) {
      expect(error).toContain(field);
    }
  });

  it('is so as columns of Arrow, which have one type for all rows', async () => {
    const flight = createClient(contracts.flight, preprocessingAddress);
    const stream = RecordBatchStreamWriter.writeAll(tableFromArrays({ size: ['wide'] })).toUint8Array(true);
    const flightDescriptor = { type: 'PATH' as const, path: pipeline.split('/') };
    const messages = splitStream(stream).map(({ header, body }) => ({
      flightDescriptor,
      dataHeader: header,
      dataBody: body,
    }));
    const { details, message } = await rpcFailure(collect(flight.doExchange(messages)));
    flight.close();
    expect(details.fieldViolations.map(({ field }) => field)).toEqual(['size', 'garden']);
    expect(message).toMatch(/"size" to be Int64 but it is Dictionary.*"garden" to be Utf8.*there is none of that name/);
  });

  it('is so as a tensor, which takes no records', async () => {
    const [, name, , version] = model.split('/');
    const inputs = [
      { name: 'input', datatype: 'BYTES', shape: [1, 1], contents: { bytesContents: [Buffer.from('{}')] } },
    ];
    const failure = await rpcFailure(serving.inference.modelInfer({ modelName: name, modelVersion: version, inputs }));
    expect(failure).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/'input'.*"BYTES".*FP32/),
    });
  });
});
