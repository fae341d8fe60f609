import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig } from '../../services/registry/config.js';
import { startRegistry } from '../../services/registry/service.js';
import { publish, type RegistryClient, registryClient } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { silentLog } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

const name = 'models/mnist/deployment';
const noBatching = {
  rowsMax: 0,
  preferredRows: [],
  queueDelayUsMax: 0,
  queueRequestsMax: 0,
  priorityLevels: 0,
  defaultPriority: 0,
  timeoutUs: 0,
  timeoutOverride: true,
  // How the protobuf library says that an optional field is set.
  _timeoutOverride: 'timeoutOverride',
};
const defaults = { name, traffic: [], shadow: null, batching: noBatching, responseCacheBytes: 0, updateTime: null };
const split = [
  { target: 'champion', weight: 90 },
  { target: '2', weight: 10 },
];

let dataDir: string;
let client: RegistryClient;
let service: RunningService;

async function start(): Promise<void> {
  service = await startRegistry(
    readConfig(['--data-dir', dataDir, '--port', '0', '--stop-grace-ms', '2000'], {}),
    silentLog,
  );
  client = registryClient(service.port);
}

async function stop(): Promise<void> {
  client.close();
  await service.stop();
}

beforeEach(async () => {
  dataDir = tempFolder();
  await start();
  await publish(client, 'mnist', { a: Buffer.from('1') }, ['champion']);
  await publish(client, 'mnist', { a: Buffer.from('2') });
});
afterEach(() => stop());

const update = (deployment: object, paths: string[] = []) =>
  client.updateDeployment({ deployment: { name, ...deployment }, updateMask: { paths } });

const violations = async (call: Promise<unknown>) => {
  const error = await rpcFailure(call);
  expect(error.code).toBe('INVALID_ARGUMENT');
  return error.details.fieldViolations.map(({ field }) => field);
};

describe('UpdateDeployment', () => {
  it('refuses a request without a deployment, and a name of another form', async () => {
    expect(await violations(client.updateDeployment({}))).toEqual(['deployment.name']);
    expect(await violations(client.updateDeployment({ deployment: { name: 'models/mnist' } }))).toEqual([
      'deployment.name',
    ]);
    expect(await violations(client.getDeployment({ name: 'models/mnist' }))).toEqual(['name']);
  });

  it('names every violation at once, targets that are not there among them, and changes nothing', async () => {
    const deployment = {
      traffic: [
        { target: 'candidate', weight: 1 },
        { target: '3', weight: 0 },
        { target: 'No', weight: 1 },
      ],
      shadow: { target: 'candidate', fraction: 2 },
      batching: { rowsMax: -1 },
    };
    expect((await violations(update(deployment, ['*', 'speed']))).sort()).toEqual([
      'deployment.batching.rows_max',
      'deployment.shadow.fraction',
      'deployment.shadow.target',
      'deployment.traffic[0].target',
      'deployment.traffic[1].target',
      'deployment.traffic[1].weight',
      'deployment.traffic[2].target',
      'update_mask',
    ]);
    expect(await client.getDeployment({ name })).toEqual(defaults);
  });

  it('says which target is missing', async () => {
    const error = await rpcFailure(update({ traffic: [{ target: 'candidate', weight: 1 }] }));
    expect(error.message).toBe(
      'Expected `deployment.traffic[0].target` to be a version or an alias of models/mnist but there is no alias "candidate".',
    );
  });

  it('changes the fields of the mask only, and those to their defaults that are left unset', async () => {
    const first = await update({ traffic: split, shadow: { target: '2', fraction: 0.25 }, responseCacheBytes: 1_000 });
    expect(first).toMatchObject({ traffic: split, shadow: { target: '2', fraction: 0.25 }, responseCacheBytes: 1_000 });
    expect(first.updateTime).not.toBeNull();
    await update({ batching: { preferredRows: [32, 64], queueDelayUsMax: 200 } }, ['batching']);
    const now = await update({ batching: { rowsMax: 128 } }, ['batching.rows_max', 'shadow']);
    const batching = { ...noBatching, preferredRows: [32, 64], queueDelayUsMax: 200, rowsMax: 128 };
    expect(now).toMatchObject({ traffic: split, shadow: null, batching, responseCacheBytes: 1_000 });
    expect(await client.getDeployment({ name })).toEqual(now);
    expect(await update({}, ['*'])).toEqual({ ...defaults, updateTime: expect.anything() });
  });

  it('takes back what Get answered, whatever of it the caller may not set', async () => {
    const got = await update({ traffic: split });
    const paths = ['name', 'update_time', 'traffic', 'shadow', 'batching', 'response_cache_bytes'];
    const again = await client.updateDeployment({ deployment: got, updateMask: { paths } });
    expect({ ...again, updateTime: null }).toEqual({ ...got, updateTime: null });
  });

  it('loses none of many updates at once', async () => {
    const fields = {
      rows_max: { rowsMax: 9 },
      timeout_us: { timeoutUs: 8 },
      queue_requests_max: { queueRequestsMax: 7 },
    };
    await Promise.all(Object.entries(fields).map(([path, batching]) => update({ batching }, [`batching.${path}`])));
    expect((await client.getDeployment({ name })).batching).toEqual({
      ...noBatching,
      rowsMax: 9,
      timeoutUs: 8,
      queueRequestsMax: 7,
    });
  });
});

describe('a deployment', () => {
  it('is there with every model, and never without one', async () => {
    expect(await client.getDeployment({ name })).toEqual(defaults);
    const absent = 'models/none/deployment';
    for (const call of [
      client.getDeployment({ name: absent }),
      client.updateDeployment({ deployment: { name: absent } }),
    ]) {
      expect(await rpcFailure(call)).toMatchObject({ code: 'NOT_FOUND', details: { reason: 'MODEL_NOT_FOUND' } });
    }
  });

  it('goes with its model', async () => {
    await update({ traffic: split });
    await client.deleteModel({ name: 'models/mnist' });
    await client.createModel({ modelId: 'mnist' });
    expect(await client.getDeployment({ name })).toEqual(defaults);
  });

  it('keeps a target that went away, and can be changed in all else', async () => {
    await client.setModelAlias({ name: 'models/mnist', alias: 'candidate', version: 2 });
    const traffic = [...split.slice(0, 1), { target: 'candidate', weight: 10 }];
    await update({ traffic });
    await client.deleteModelAlias({ name: 'models/mnist', alias: 'candidate' });
    expect(await update({ responseCacheBytes: 1 })).toMatchObject({ traffic, responseCacheBytes: 1 });
    expect(await violations(update({ shadow: { target: 'candida', fraction: 1 } }))).toEqual([
      'deployment.shadow.target',
    ]);
  });

  it('is found again after a restart', async () => {
    const made = await update({ traffic: split, batching: { rowsMax: 5 } });
    await stop();
    await start();
    expect(await client.getDeployment({ name })).toEqual(made);
  });

  it('is told with its model to those who watch, and when it changes', async () => {
    const events = client.watchModels({});
    const next = async () => (await events.next()).value;
    expect(await next()).toMatchObject({ model: { name: 'models/mnist' }, deployment: defaults });
    expect(await next()).toMatchObject({ event: 'synced', deployment: null });
    await update({ traffic: split });
    expect(await next()).toMatchObject({ model: { latestVersion: 2 }, deployment: { name, traffic: split } });
    await events.return();
  });
});
