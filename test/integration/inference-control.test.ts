import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { describeMessage } from '../../proto/index.js';
import { toProtoJson } from '../../services/gateway/proto-json.js';
import { expectedOutput, inputWidth, json, modelFiles, publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

const input = Float32Array.from({ length: inputWidth }, (_, i) => i / inputWidth);

describe.each([1, 2])('control of a server with %i workers', (workers) => {
  let serving: Serving;
  beforeAll(async () => {
    serving = await Serving.start(tempFolder(), `--workers=${workers}`);
    await serving.service.serving;
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
    await publish(serving.registry, 'animals', modelFiles({ seed: 2 }), ['champion']);
    await serving.serves('animals', '', 2);
  });
  afterAll(async () => {
    await serving.stop();
  });

  const ask = (modelName: string, modelVersion = '') =>
    serving.inference.modelInfer({
      modelName,
      modelVersion,
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1, inputWidth] }],
      rawInputContents: [Buffer.from(input.buffer)],
    });
  const load = (modelName: string, parameters = {}) => serving.inference.repositoryModelLoad({ modelName, parameters });
  const unload = (modelName: string, parameters = {}) =>
    serving.inference.repositoryModelUnload({ modelName, parameters });
  const config = (value: unknown) => ({ config: { stringParam: JSON.stringify(value) } });
  const uploaded = (version: number, files: Record<string, Uint8Array>) => ({
    ...config({}),
    ...Object.fromEntries(
      Object.entries(files)
        .filter(([name]) => name !== 'report.json')
        .map(([name, bytes]) => [`file:${version}/${name}`, { bytesParam: Buffer.from(bytes) }]),
    ),
  });
  const bits = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');
  const bitsOf = (seed: number) => bits(new Uint8Array(expectedOutput({ seed }, input).buffer));

  describe('RepositoryModelLoad refuses', () => {
    it.each([
      ['no name', '', {}, 'INVALID_ARGUMENT', /model_name/],
      ['an unknown model', 'plants', {}, 'NOT_FOUND', /failed to load 'plants', failed to poll from model repository/],
      ['an unknown parameter', 'animals', { x: { boolParam: true } }, 'INVALID_ARGUMENT', /"x"/],
      ['a configuration that is not JSON', 'animals', { config: { stringParam: '{' } }, 'INVALID_ARGUMENT', /JSON/],
      [
        'a setting that it lacks',
        'animals',
        config({ instance_group: [{ count: 2 }] }),
        'INVALID_ARGUMENT',
        /instance_group/,
      ],
      ['a batch size below 1', 'animals', config({ max_batch_size: 0 }), 'INVALID_ARGUMENT', /maxBatchSize/],
      ['other inputs', 'animals', config({ input: [{ name: 'x' }] }), 'INVALID_ARGUMENT', /`input` in `config`.*"x"/],
      ['other outputs', 'animals', config({ output: [{ dims: ['77'] }] }), 'INVALID_ARGUMENT', /`output`.*77/],
      ['another platform', 'animals', config({ platform: 'onnx_onnxv1' }), 'INVALID_ARGUMENT', /`platform`/],
      ['another backend', 'animals', config({ backend: 'python' }), 'INVALID_ARGUMENT', /`backend`/],
      [
        'several answers to a request',
        'animals',
        config({ model_transaction_policy: { decoupled: true } }),
        'INVALID_ARGUMENT',
        /`model_transaction_policy`/,
      ],
      ['another name', 'animals', config({ name: 'plants' }), 'INVALID_ARGUMENT', /plants/],
      [
        'a file without a configuration',
        'animals',
        { 'file:1/model.onnx': { bytesParam: Buffer.of(1) } },
        'INVALID_ARGUMENT',
        /config/,
      ],
      ['a file of another name', 'animals', uploaded(1, { 'model.py': Buffer.of(1) }), 'INVALID_ARGUMENT', /model\.py/],
      [
        'a file that leaves its folder',
        'animals',
        uploaded(1, { '../network.json': Buffer.of(1) }),
        'INVALID_ARGUMENT',
        /VERSION\/NAME/,
      ],
    ])('%s', async (_, name, parameters, code, message) => {
      expect(await rpcFailure(load(name, parameters))).toMatchObject({ code, message: expect.stringMatching(message) });
      expect(await ask('animals')).toMatchObject({ modelVersion: '2' });
    });
  });

  it('unloads a model until it is loaded again', async () => {
    await unload('animals', { unload_dependents: { boolParam: false } });
    expect(await serving.inference.modelReady({ name: 'animals', version: '' })).toEqual({ ready: false });
    expect(await rpcFailure(ask('animals'))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/unloaded/),
    });
    const { models } = await serving.inference.repositoryIndex({});
    expect(models).toMatchObject([
      { name: 'animals', version: '1', state: 'UNAVAILABLE', reason: 'unloaded' },
      { name: 'animals', version: '2', state: 'UNAVAILABLE', reason: 'unloaded' },
    ]);
    // News of the registry do not bring it back.
    expect(await publish(serving.registry, 'animals', modelFiles({ seed: 3 }))).toBe(3);
    await load('animals');
    expect(await ask('animals')).toMatchObject({ modelVersion: '2' });
    expect(bits((await ask('animals', '2')).rawOutputContents[0])).toBe(bitsOf(2));
  });

  it('refuses to unload what it does not know', async () => {
    expect(await rpcFailure(unload('plants'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await rpcFailure(unload('animals', { gently: { boolParam: true } }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  it('takes the name where KServe has it', async () => {
    await serving.inference.repositoryModelUnload({ repositoryName: 'animals' });
    expect(await serving.inference.modelReady({ name: 'animals', version: '' })).toEqual({ ready: false });
    await serving.inference.repositoryModelLoad({ repositoryName: 'animals' });
    expect(await serving.inference.modelReady({ name: 'animals', version: '' })).toEqual({ ready: true });
  });

  it('serves by another configuration until the next load', async () => {
    const batching = { preferred_batch_size: [4], max_queue_delay_microseconds: '50' };
    await load('animals', config({ dynamic_batching: batching, version_policy: { specific: { versions: ['1'] } } }));
    const { config: served } = await serving.inference.modelConfig({ name: 'animals', version: '1' });
    expect(served?.dynamicBatching).toMatchObject({ preferredBatchSize: [4], maxQueueDelayMicroseconds: 50 });
    expect(await serving.inference.modelReady({ name: 'animals', version: '2' })).toEqual({ ready: false });
    await load('animals');
    const after = await serving.inference.modelConfig({ name: 'animals', version: '1' });
    expect(after.config?.dynamicBatching).toMatchObject({ preferredBatchSize: [], maxQueueDelayMicroseconds: 0 });
    expect(await serving.inference.modelReady({ name: 'animals', version: '2' })).toEqual({ ready: true });
  });

  it('takes back the configuration that it gave, with one thing changed', async () => {
    const { config: given } = await serving.inference.modelConfig({ name: 'animals', version: '2' });
    const sent = toProtoJson(describeMessage('inference.ModelConfig'), { ...given });
    const batching = { ...(sent.dynamic_batching as object), max_queue_delay_microseconds: '70' };
    await load('animals', config({ ...sent, dynamic_batching: batching }));
    const { config: served } = await serving.inference.modelConfig({ name: 'animals', version: '2' });
    expect(served).toEqual({
      ...given,
      dynamicBatching: { ...given?.dynamicBatching, maxQueueDelayMicroseconds: 70 },
    });
    await load('animals');
  });

  it('serves uploaded files, also in place of those of the registry, until unloaded', async () => {
    await load('guests', uploaded(7, modelFiles({ seed: 7 })));
    const answer = await ask('guests');
    expect(answer).toMatchObject({ modelVersion: '7' });
    expect(bits(answer.rawOutputContents[0])).toBe(bitsOf(7));
    await load('animals', uploaded(9, modelFiles({ seed: 9 })));
    expect(bits((await ask('animals')).rawOutputContents[0])).toBe(bitsOf(9));
    await unload('guests');
    expect(await rpcFailure(load('guests'))).toMatchObject({ code: 'NOT_FOUND' });
    await load('animals');
    expect(bits((await ask('animals')).rawOutputContents[0])).toBe(bitsOf(2));
  });

  it('says why an uploaded model cannot be served', async () => {
    const files = { ...modelFiles({ seed: 7 }), 'network.json': json({ format: 'x' }) };
    expect(await rpcFailure(load('broken', uploaded(1, files)))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(
        /load failed for model 'broken': version 1 is at UNAVAILABLE state: network\.json/,
      ),
    });
    await load('broken', uploaded(1, modelFiles({ seed: 7 })));
    expect(await ask('broken')).toMatchObject({ modelVersion: '1' });
    await unload('broken');
  });

  it('counts what all workers did together', async () => {
    const before = (await serving.inference.modelStatistics({ name: 'animals', version: '2' })).modelStats[0]!;
    await Promise.all(Array.from({ length: 20 }, () => ask('animals')));
    const after = (await serving.inference.modelStatistics({ name: 'animals', version: '2' })).modelStats[0]!;
    expect(after.inferenceCount - before.inferenceCount).toBe(20);
    expect(after.inferenceStats!.success!.count - before.inferenceStats!.success!.count).toBe(20);
    expect(after.lastInference).toBeGreaterThan(0);
    const { modelStats } = await serving.inference.modelStatistics({});
    expect(modelStats.map(({ name, version }) => `${name} ${version}`)).toContain('animals 1');
    expect(await rpcFailure(serving.inference.modelStatistics({ name: 'plants' }))).toMatchObject({
      code: 'NOT_FOUND',
    });
  });

  it('keeps settings for the whole server, and refuses those that it lacks', async () => {
    const { settings } = await serving.inference.traceSetting({
      settings: { trace_rate: { value: ['5'] }, trace_level: { value: ['TIMESTAMPS'] } },
      modelName: 'animals',
    });
    expect(settings).toMatchObject({ trace_rate: { value: ['5'] }, trace_level: { value: ['TIMESTAMPS'] } });
    expect((await serving.inference.traceSetting({})).settings).toMatchObject({ trace_rate: { value: ['1000'] } });
    const back = await serving.inference.traceSetting({
      settings: { trace_rate: {}, trace_level: {} },
      modelName: 'animals',
    });
    expect(back.settings).toMatchObject({ trace_rate: { value: ['1000'] }, trace_level: { value: ['OFF'] } });
    const traces: Record<string, { value: string[] }>[] = [
      { trace_level: { value: ['TENSORS'] } },
      { trace_file: { value: ['/x'] } },
      { x: { value: ['1'] } },
    ];
    for (const settings of traces) {
      expect(await rpcFailure(serving.inference.traceSetting({ settings }))).toMatchObject({
        code: 'INVALID_ARGUMENT',
      });
    }
    const log = await serving.inference.logSettings({ settings: { log_verbose_level: { uint32Param: 1 } } });
    expect(log.settings).toMatchObject({ log_verbose_level: { uint32Param: 1 } });
    await serving.inference.logSettings({ settings: { log_verbose_level: { uint32Param: 0 } } });
    const logs: Record<string, { stringParam: string } | { boolParam: boolean }>[] = [
      { log_file: { stringParam: '/x' } },
      { log_error: { boolParam: false }, log_info: { boolParam: true } },
    ];
    for (const settings of logs) {
      expect(await rpcFailure(serving.inference.logSettings({ settings }))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    }
  });

  it('refuses regions that cannot be opened, and knows none of them', async () => {
    const region = { name: 'r', key: '/millrace-none', offset: 0, byteSize: 16 };
    expect(await rpcFailure(serving.inference.systemSharedMemoryRegister(region))).toMatchObject({
      code: 'INVALID_ARGUMENT',
      message: expect.stringMatching(/Unable to open shared memory region: '\/millrace-none'/),
    });
    expect(await serving.inference.systemSharedMemoryStatus({})).toEqual({ regions: {} });
    expect(await rpcFailure(serving.inference.systemSharedMemoryStatus({ name: 'r' }))).toMatchObject({
      code: 'NOT_FOUND',
    });
    await serving.inference.systemSharedMemoryUnregister({ name: 'r' });
    expect(await rpcFailure(serving.inference.cudaSharedMemoryStatus({}))).toMatchObject({ code: 'UNIMPLEMENTED' });
  });
});
