import { createHash, randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { contracts, createClient, type RpcClient } from '../../proto/index.js';
import { readConfig } from '../../services/registry/config.js';
import { startRegistry } from '../../services/registry/service.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { tempFolder } from '../support/temp-folder.js';

type Condition = Parameters<Client['createModelVersion']>[0]['promotionCondition'];
type Client = RpcClient<typeof contracts.registry.clientType>;

const digest = (bytes: Uint8Array | string) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const weights = Buffer.from('weights');
const network = Buffer.from('{"layers":[]}');

let dataDir: string;
let client: Client;
let stop: () => Promise<void>;

async function start(): Promise<void> {
  const config = readConfig(['--data-dir', dataDir, '--port', '0', '--stop-grace-ms', '2000'], {});
  const service = await startRegistry(config, pino({ level: 'silent' }));
  client = createClient(contracts.registry, `127.0.0.1:${service.port}`);
  stop = async () => {
    client.close();
    await service.stop();
  };
}

beforeEach(async () => {
  dataDir = tempFolder();
  await start();
});
afterEach(() => stop());

function upload(bytes: Buffer, announced = { digest: digest(bytes), sizeBytes: bytes.length }, chunkBytes = 1 << 20) {
  async function* parts() {
    yield { blob: announced };
    for (let at = 0; at < bytes.length; at += chunkBytes) {
      yield { chunk: bytes.subarray(at, at + chunkBytes) };
    }
  }
  return client.uploadBlob(parts());
}

const artifact = (bytes: Buffer, file = 'model.safetensors') => ({ path: file, digest: digest(bytes) });

/** A version of models/mnist with one artifact. */
function createVersion(
  more: { aliases?: string[]; requestId?: string; artifacts?: object[]; metrics?: object; condition?: Condition } = {},
) {
  const { aliases = [], requestId = '', artifacts = [artifact(weights)], metrics = {}, condition } = more;
  return client.createModelVersion({
    parent: 'models/mnist',
    modelVersion: { artifacts, metrics: metrics as Record<string, number> },
    aliases,
    requestId,
    promotionCondition: condition,
  });
}

async function collect(chunks: AsyncIterable<{ chunk: Buffer }>): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const { chunk } of chunks) {
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** Files under the blob folder, drafts included. */
function storedFiles(): string[] {
  const entries = readdirSync(path.join(dataDir, 'registry', 'blobs'), { recursive: true, withFileTypes: true });
  return entries.filter((entry) => entry.isFile()).map(({ name }) => name);
}

describe('models', () => {
  it.each(['', 'Mnist', '1a', 'a_b', `a${'b'.repeat(63)}`])('refuses the model id %j', async (modelId) => {
    const error = await rpcFailure(client.createModel({ modelId }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.details.fieldViolations).toMatchObject([{ field: 'model_id' }]);
  });

  it('refuses a second model of the same name', async () => {
    await client.createModel({ modelId: 'mnist' });
    expect(await rpcFailure(client.createModel({ modelId: 'mnist' }))).toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { reason: 'MODEL_EXISTS' },
    });
  });

  it('answers NOT_FOUND for an unknown model in every method', async () => {
    await upload(weights);
    const calls = [
      client.getModel({ name: 'models/none' }),
      client.deleteModel({ name: 'models/none' }),
      client.listModelVersions({ parent: 'models/none' }),
      client.getModelVersion({ name: 'models/none/versions/1' }),
      client.getModelVersion({ name: 'models/none/aliases/champion' }),
      client.deleteModelVersion({ name: 'models/none/versions/1' }),
      client.setModelAlias({ name: 'models/none', alias: 'champion', version: 1 }),
      client.deleteModelAlias({ name: 'models/none', alias: 'champion' }),
      client.createModelVersion({ parent: 'models/none', modelVersion: { artifacts: [artifact(weights)] } }),
    ];
    for (const call of calls) {
      expect(await rpcFailure(call)).toMatchObject({ code: 'NOT_FOUND', details: { reason: 'MODEL_NOT_FOUND' } });
    }
  });

  it('creates, gets and lists models by name, page by page', async () => {
    for (const modelId of ['c', 'a', 'b']) {
      await client.createModel({ modelId });
    }
    expect(await client.getModel({ name: 'models/a' })).toMatchObject({
      name: 'models/a',
      latestVersion: 0,
      aliases: {},
    });
    const first = await client.listModels({ pageSize: 2 });
    expect(first.models.map(({ name }) => name)).toEqual(['models/a', 'models/b']);
    const second = await client.listModels({ pageSize: 2, pageToken: first.nextPageToken });
    expect(second).toMatchObject({ models: [{ name: 'models/c' }], nextPageToken: '' });
  });

  it('refuses a page size or a page token out of range', async () => {
    expect(await rpcFailure(client.listModels({ pageSize: -1 }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await rpcFailure(client.listModels({ pageSize: 1_001 }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await rpcFailure(client.listModels({ pageToken: 'nonsense' }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  it('deletes a model with its versions and aliases, and never reuses their numbers', async () => {
    await upload(weights);
    await client.createModel({ modelId: 'mnist' });
    await createVersion({ aliases: ['champion'] });
    await client.deleteModel({ name: 'models/mnist' });
    expect((await rpcFailure(client.getModel({ name: 'models/mnist' }))).code).toBe('NOT_FOUND');
    await client.createModel({ modelId: 'mnist' });
    expect(await client.getModel({ name: 'models/mnist' })).toMatchObject({ latestVersion: 0, aliases: {} });
    expect(await createVersion()).toMatchObject({ name: 'models/mnist/versions/2' });
  });
});

describe('versions', () => {
  beforeEach(async () => {
    await upload(weights);
    await upload(network);
    await client.createModel({ modelId: 'mnist' });
  });

  it('names every violation at once', async () => {
    const error = await rpcFailure(
      client.createModelVersion({
        parent: 'models/mnist',
        modelVersion: {
          artifacts: [
            { path: '../etc/passwd', digest: digest(weights) },
            { path: 'a', digest: 'sha256:no' },
            { path: 'a', digest: digest(weights) },
            { path: '..', digest: digest(weights) },
          ],
          metrics: { loss: Number.NaN, accuracy: Number.POSITIVE_INFINITY, fine: 1 },
          lineage: { datasetDigest: 'md5:1', spec: { optimizer: { adam: { learningRate: Number.NaN } } } },
        },
        aliases: ['Champion'],
        requestId: 'x'.repeat(101),
      }),
    );
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.details.fieldViolations.map(({ field }) => field).sort()).toEqual([
      'aliases[0]',
      'model_version.artifacts[0].path',
      'model_version.artifacts[1].digest',
      'model_version.artifacts[2].path',
      'model_version.artifacts[3].path',
      'model_version.lineage.dataset_digest',
      'model_version.lineage.spec',
      'model_version.metrics["accuracy"]',
      'model_version.metrics["loss"]',
      'request_id',
    ]);
    expect(await client.getModel({ name: 'models/mnist' })).toMatchObject({ latestVersion: 0 });
  });

  it('answers a thousand violations with as many as fit into a status', async () => {
    const artifacts = Array.from({ length: 1_000 }, (_, i) => ({ path: `\u{1f680}/${i}`, digest: 'x'.repeat(500) }));
    const error = await rpcFailure(createVersion({ artifacts }));
    expect(error.code).toBe('INVALID_ARGUMENT');
    expect(error.message).toContain('And 1995 more.');
    expect(error.details.fieldViolations.length).toBeGreaterThan(2);
  });

  it('refuses a version without artifacts', async () => {
    const error = await rpcFailure(client.createModelVersion({ parent: 'models/mnist' }));
    expect(error.details.fieldViolations).toMatchObject([{ field: 'model_version.artifacts' }]);
  });

  it('refuses an artifact whose blob is missing, and names it', async () => {
    const absent = digest('absent');
    const error = await rpcFailure(
      createVersion({ artifacts: [artifact(weights), { path: 'network.json', digest: absent }] }),
    );
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'BLOB_MISSING' } });
    expect(error.message).toContain('network.json');
    expect(error.message).toContain(absent);
    expect(await createVersion()).toMatchObject({ name: 'models/mnist/versions/1' });
  });

  it('gives back everything it was given, by number and by alias', async () => {
    const lineage = {
      trainingJob: 'trainingJobs/j-1',
      datasetVersion: 'datasets/mnist/versions/1',
      datasetDigest: digest('dataset'),
      pipelineDigest: digest('pipeline'),
      spec: {
        dataset: 'datasets/mnist',
        optimizer: { adam: { learningRate: 0.001 } },
        loss: 'LOSS_CATEGORICAL_CROSS_ENTROPY' as const,
        epochs: 5,
        seed: Number.MAX_SAFE_INTEGER,
      },
      engineVersion: '0.1.0',
      instructionSet: 'avx2',
    };
    const artifacts = [artifact(network, 'network.json'), artifact(weights)];
    const made = await client.createModelVersion({
      parent: 'models/mnist',
      modelVersion: { artifacts, lineage, metrics: { test_accuracy: 0.9761 } },
      aliases: ['champion', 'candidate'],
    });
    expect(made).toMatchObject({
      name: 'models/mnist/versions/1',
      artifacts: [
        { path: 'model.safetensors', digest: digest(weights), sizeBytes: weights.length },
        { path: 'network.json', digest: digest(network), sizeBytes: network.length },
      ],
      lineage,
      metrics: { test_accuracy: 0.9761 },
      aliases: ['candidate', 'champion'],
      digest: digest(`model.safetensors ${digest(weights)}\nnetwork.json ${digest(network)}\n`),
    });
    expect(made.lineage?.spec?.optimizer?.adam?.beta1).toBeUndefined();
    expect(await client.getModelVersion({ name: 'models/mnist/versions/1' })).toEqual(made);
    expect(await client.getModelVersion({ name: 'models/mnist/aliases/champion' })).toEqual(made);
    expect((await rpcFailure(client.getModelVersion({ name: 'models/mnist/aliases/none' }))).code).toBe('NOT_FOUND');
    expect((await rpcFailure(client.getModelVersion({ name: 'models/mnist/versions/0' }))).code).toBe(
      'INVALID_ARGUMENT',
    );
  });

  it('numbers concurrent creates without gaps', async () => {
    await createVersion();
    const failing = Array.from({ length: 5 }, () =>
      rpcFailure(createVersion({ artifacts: [artifact(weights), { path: 'x', digest: digest('absent') }] })),
    );
    const made = await Promise.all(Array.from({ length: 20 }, () => createVersion()));
    await Promise.all(failing);
    const numbers = made.map(({ name }) => Number(name.split('/').at(-1))).sort((a, b) => a - b);
    expect(numbers).toEqual(Array.from({ length: 20 }, (_, i) => i + 2));
  });

  it('moves aliases on a condition, and answers what was decided after a restart too', async () => {
    const condition = { metric: 'test_loss', comparison: 'COMPARISON_LESS' as const, alias: 'champion', value: -0.1 };
    const create = (testLoss: number, requestId = '') =>
      createVersion({ aliases: ['champion'], metrics: { test_loss: testLoss }, requestId, condition });
    expect((await create(2)).promotion).toMatchObject({ condition, promoted: true, comparedVersion: 0 });
    const kept = await create(1.9, 'job-2');
    expect(kept).toMatchObject({ aliases: [], promotion: { promoted: false, comparedVersion: 1, bound: 1.9 } });
    expect(await create(1.5)).toMatchObject({
      aliases: ['champion'],
      promotion: { promoted: true, comparedVersion: 1, bound: 1.9 },
    });
    await stop();
    await start();
    expect(await create(1.9, 'job-2')).toEqual(kept);
    expect((await createVersion()).promotion).toBeNull();
    const unknown = await rpcFailure(createVersion({ condition: { metric: 'x' } }));
    expect(unknown.details.fieldViolations.map(({ field }) => field)).toEqual([
      'promotion_condition.metric',
      'promotion_condition.comparison',
    ]);
  });

  it('answers the same version for a repeated request id, also concurrently, and leaves aliases alone', async () => {
    const [one, two] = await Promise.all(
      [1, 2].map(() => createVersion({ requestId: 'job-1', aliases: ['champion'] })),
    );
    expect(two).toEqual(one);
    await createVersion({ aliases: ['champion'] });
    expect(await createVersion({ requestId: 'job-1', aliases: ['champion'] })).toEqual({ ...one, aliases: [] });
    expect(await client.getModel({ name: 'models/mnist' })).toMatchObject({
      latestVersion: 2,
      aliases: { champion: 2 },
    });
  });

  it('refuses a repeated request id with other artifacts', async () => {
    await createVersion({ requestId: 'job-1' });
    expect(await rpcFailure(createVersion({ requestId: 'job-1', artifacts: [artifact(network)] }))).toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { reason: 'REQUEST_ID_USED' },
    });
  });

  it('keeps request ids of different models apart', async () => {
    await createVersion({ requestId: 'job-1' });
    await client.createModel({ modelId: 'other' });
    const modelVersion = { artifacts: [artifact(network)] };
    const other = await client.createModelVersion({ parent: 'models/other', modelVersion, requestId: 'job-1' });
    expect(other.name).toBe('models/other/versions/1');
  });

  it('lists versions newest first, page by page', async () => {
    for (let i = 0; i < 3; i++) {
      await createVersion();
    }
    const first = await client.listModelVersions({ parent: 'models/mnist', pageSize: 2 });
    expect(first.modelVersions.map(({ name }) => name)).toEqual(['models/mnist/versions/3', 'models/mnist/versions/2']);
    const second = await client.listModelVersions({
      parent: 'models/mnist',
      pageSize: 2,
      pageToken: first.nextPageToken,
    });
    expect(second.modelVersions.map(({ name }) => name)).toEqual(['models/mnist/versions/1']);
    expect(second.nextPageToken).toBe('');
  });

  it('refuses to delete a version that has an alias; deletes it afterwards and does not reuse its number', async () => {
    await createVersion({ aliases: ['champion'] });
    const error = await rpcFailure(client.deleteModelVersion({ name: 'models/mnist/versions/1' }));
    expect(error).toMatchObject({ code: 'FAILED_PRECONDITION', details: { reason: 'VERSION_HAS_ALIAS' } });
    await client.deleteModelAlias({ name: 'models/mnist', alias: 'champion' });
    await client.deleteModelVersion({ name: 'models/mnist/versions/1' });
    expect((await rpcFailure(client.getModelVersion({ name: 'models/mnist/versions/1' }))).code).toBe('NOT_FOUND');
    expect(await client.getModel({ name: 'models/mnist' })).toMatchObject({ latestVersion: 0 });
    expect(await createVersion()).toMatchObject({ name: 'models/mnist/versions/2' });
  });

  it('moves an alias and refuses one to a version that is not there', async () => {
    await createVersion();
    await createVersion({ aliases: ['champion'] });
    const moved = await client.setModelAlias({ name: 'models/mnist', alias: 'champion', version: 1 });
    expect(moved.aliases).toEqual({ champion: 1 });
    for (const [version, code] of [
      [9, 'NOT_FOUND'],
      [0, 'INVALID_ARGUMENT'],
    ] as const) {
      const refused = client.setModelAlias({ name: 'models/mnist', alias: 'champion', version });
      expect((await rpcFailure(refused)).code).toBe(code);
    }
    expect((await client.getModel({ name: 'models/mnist' })).aliases).toEqual({ champion: 1 });
    const absent = client.deleteModelAlias({ name: 'models/mnist', alias: 'candidate' });
    expect(await rpcFailure(absent)).toMatchObject({ code: 'NOT_FOUND', details: { reason: 'ALIAS_NOT_FOUND' } });
  });

  it('finds everything again after a restart', async () => {
    const made = await createVersion({ aliases: ['champion'], requestId: 'job-1' });
    await stop();
    await start();
    expect(await client.getModelVersion({ name: 'models/mnist/aliases/champion' })).toEqual(made);
    expect(await createVersion({ requestId: 'job-1' })).toEqual(made);
    expect(await collect(client.downloadBlob({ digest: digest(weights) }))).toEqual(weights);
  });
});

describe('blobs', () => {
  it.each([
    ['no message', [], 'blob'],
    ['bytes first', [{ chunk: weights }], 'blob'],
    ['a bad digest', [{ blob: { digest: 'sha256:1', sizeBytes: 1 } }], 'blob.digest'],
    ['a negative size', [{ blob: { digest: digest(weights), sizeBytes: -1 } }], 'blob.size_bytes'],
    ['two announcements', [1, 2].map(() => ({ blob: { digest: digest(weights), sizeBytes: 7 } })), 'blob'],
    ['an empty message', [{ blob: { digest: digest(weights), sizeBytes: 7 } }, {}], 'chunk'],
    [
      'a chunk over 1 MiB',
      [{ blob: { digest: digest(weights), sizeBytes: 1 << 21 } }, { chunk: Buffer.alloc((1 << 20) + 1) }],
      'chunk',
    ],
  ])('refuses an upload with %s', async (_, parts, field) => {
    const error = await rpcFailure(client.uploadBlob(parts));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { fieldViolations: [{ field }] } });
    expect(storedFiles()).toEqual([]);
  });

  it.each([
    ['another digest', { digest: digest('other'), sizeBytes: weights.length }],
    ['fewer bytes than announced', { digest: digest(weights), sizeBytes: weights.length + 1 }],
    ['more bytes than announced', { digest: digest(weights), sizeBytes: weights.length - 1 }],
  ])('refuses an upload with %s and keeps nothing', async (_, announced) => {
    const error = await rpcFailure(upload(weights, announced));
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { reason: 'BLOB_MISMATCH' } });
    expect(storedFiles()).toEqual([]);
  });

  it('keeps nothing of an upload that its client gives up', async () => {
    const drafts = path.join(dataDir, 'registry', 'blobs', 'drafts');
    const controller = new AbortController();
    async function* parts() {
      yield { blob: { digest: digest(weights), sizeBytes: weights.length } };
      yield { chunk: weights.subarray(0, 3) };
      await expect.poll(() => readdirSync(drafts)).toHaveLength(1);
      controller.abort();
      await new Promise(() => {});
    }
    expect((await rpcFailure(client.uploadBlob(parts(), { signal: controller.signal }))).code).toBe('CANCELLED');
    await expect.poll(storedFiles).toEqual([]);
  });

  it('answers NOT_FOUND for an unknown blob and INVALID_ARGUMENT for a bad digest', async () => {
    const unknown = digest('unknown');
    expect((await rpcFailure(client.getBlob({ digest: unknown }))).code).toBe('NOT_FOUND');
    expect((await rpcFailure(collect(client.downloadBlob({ digest: unknown })))).code).toBe('NOT_FOUND');
    expect((await rpcFailure(client.getBlob({ digest: '../x' }))).code).toBe('INVALID_ARGUMENT');
    expect((await rpcFailure(collect(client.downloadBlob({ digest: '../x' })))).code).toBe('INVALID_ARGUMENT');
  });

  it.each([0, 1, 1 << 20, 5_000_001])('gives back %d bytes as they came', async (length) => {
    const bytes = randomBytes(length);
    const blob = { digest: digest(bytes), sizeBytes: length };
    expect(await upload(bytes)).toEqual(blob);
    expect(await client.getBlob({ digest: blob.digest })).toEqual(blob);
    expect((await collect(client.downloadBlob({ digest: blob.digest }))).equals(bytes)).toBe(true);
  });

  it('answers a blob that is there already without its bytes, and refuses another size for it', async () => {
    const blob = await upload(weights);
    expect(await client.uploadBlob([{ blob }])).toEqual(blob);
    const error = await rpcFailure(client.uploadBlob([{ blob: { ...blob, sizeBytes: 8 } }]));
    expect(error.details.reason).toBe('BLOB_MISMATCH');
    expect(storedFiles()).toHaveLength(1);
  });

  it('takes the same blob from several clients at once', async () => {
    const bytes = randomBytes(3_000_000);
    await Promise.all(Array.from({ length: 4 }, () => upload(bytes)));
    expect(storedFiles()).toEqual([digest(bytes).slice('sha256:'.length)]);
  });
});

describe('watching', () => {
  beforeEach(() => upload(weights));

  it('sends every model, then synced, then each change', async () => {
    await client.createModel({ modelId: 'a' });
    await client.createModel({ modelId: 'b' });
    const events = client.watchModels({});
    const next = async () => (await events.next()).value;
    expect(await next()).toMatchObject({ event: 'model', model: { name: 'models/a', latestVersion: 0 } });
    expect(await next()).toMatchObject({ event: 'model', model: { name: 'models/b' } });
    expect(await next()).toMatchObject({ event: 'synced' });
    await client.createModel({ modelId: 'mnist' });
    expect(await next()).toMatchObject({ model: { name: 'models/mnist', latestVersion: 0 } });
    await createVersion({ aliases: ['champion'] });
    expect(await next()).toMatchObject({ model: { latestVersion: 1, aliases: { champion: 1 } } });
    await client.deleteModelAlias({ name: 'models/mnist', alias: 'champion' });
    expect(await next()).toMatchObject({ model: { latestVersion: 1, aliases: {} } });
    await client.deleteModel({ name: 'models/mnist' });
    expect(await next()).toMatchObject({ event: 'deletedModel', deletedModel: 'models/mnist' });
    await events.return();
  });

  it('misses nothing while models are made all the time', async () => {
    const making = Promise.all(Array.from({ length: 50 }, (_, i) => client.createModel({ modelId: `m${i}` })));
    const seen = new Set<string>();
    for await (const { event, model } of client.watchModels({})) {
      if (event === 'model') {
        seen.add(model!.name);
      }
      if (seen.size === 50) {
        break;
      }
    }
    await making;
    expect(seen.size).toBe(50);
  });

  it('ends with UNAVAILABLE when the registry stops', async () => {
    const events = client.watchModels({});
    expect((await events.next()).value).toMatchObject({ event: 'synced' });
    const end = rpcFailure(events.next());
    await stop();
    expect(await end).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'STOPPING' } });
    await start();
  });
});

describe('starting', () => {
  it('refuses a data folder that another registry holds', async () => {
    const config = readConfig(['--data-dir', dataDir, '--port', '0'], {});
    await expect(startRegistry(config, pino({ level: 'silent' }))).rejects.toMatchObject({ reason: 'FOLDER_IN_USE' });
  });

  it('refuses a port that is taken, and lets its folder go', async () => {
    const folder = tempFolder();
    const silent = pino({ level: 'silent' });
    const service = await startRegistry(readConfig(['--data-dir', tempFolder(), '--port', '0'], {}), silent);
    const config = readConfig(['--data-dir', folder, '--port', String(service.port)], {});
    await expect(startRegistry(config, silent)).rejects.toMatchObject({ reason: 'PORT_TAKEN' });
    await service.stop();
    const again = await startRegistry({ ...config, port: 0 }, silent);
    await again.stop();
  });
});
