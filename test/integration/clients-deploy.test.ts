import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { type DeployOptions, modelsDeploy } from '../../clients/cli/deploy-command.js';
import { modelsDescribe, modelsImport } from '../../clients/cli/models-command.js';
import { Millrace } from '../../clients/sdk/index.js';
import type { RunningService } from '../../services/platform/main.js';
import { readConfig } from '../../services/registry/config.js';
import { startRegistry } from '../../services/registry/service.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { silentLog } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

let folder: string;
let service: RunningService;
let millrace: Millrace;
let printed: string;

beforeEach(async () => {
  folder = tempFolder();
  service = await startRegistry(readConfig(['--data-dir', folder, '--port', '0'], {}), silentLog);
  millrace = new Millrace({ portBase: service.port - 3 });
  printed = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    printed += text;
    return true;
  });
});
afterEach(async () => {
  vi.restoreAllMocks();
  millrace.close();
  await service.stop();
});

const common = { host: '127.0.0.1', portBase: 0 };

/** A folder with these files, each holding its own name. */
function files(...names: string[]): string {
  const made = path.join(folder, `model-${Math.random()}`);
  mkdirSync(made);
  for (const name of names) {
    writeFileSync(path.join(made, name), name);
  }
  return made;
}

const ownFiles = ['model.safetensors', 'network.json', 'pipeline.json', 'signature.json'];

function importFrom(source: string, alias: string[] = []) {
  return modelsImport(millrace, 'mnist', source, { ...common, alias, json: true });
}

describe('millrace models import', () => {
  it('refuses what is no model, before anything is made', async () => {
    const refusals: [string, string][] = [
      [path.join(files('weights.bin'), 'weights.bin'), 'ends in .onnx'],
      [files('model.safetensors', 'network.json'), 'pipeline.json, signature.json are missing'],
      [files(...ownFiles.slice(1)), 'model.safetensors is missing'],
      [path.join(folder, 'absent.onnx'), 'ENOENT'],
    ];
    for (const [source, reason] of refusals) {
      await expect(importFrom(source)).rejects.toThrow(reason);
    }
    expect((await rpcFailure(millrace.registry.getModel({ name: 'models/mnist' }))).code).toBe('NOT_FOUND');
  });

  it('makes a version of an ONNX file of any name and size', async () => {
    const source = files('digits.onnx');
    const bytes = Buffer.alloc(2_500_000, 7);
    writeFileSync(path.join(source, 'digits.onnx'), bytes);
    await importFrom(path.join(source, 'digits.onnx'), ['champion']);
    const version = JSON.parse(printed);
    expect(version).toMatchObject({
      name: 'models/mnist/versions/1',
      aliases: ['champion'],
      artifacts: [{ path: 'model.onnx', sizeBytes: bytes.length }],
    });
    const chunks = [];
    for await (const { chunk } of millrace.registry.downloadBlob({ digest: version.artifacts[0].digest })) {
      chunks.push(chunk);
    }
    expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  });

  it('takes of a folder what belongs to a version', async () => {
    await importFrom(files(...ownFiles, 'report.json', 'notes.txt'));
    const { artifacts } = await millrace.registry.getModelVersion({ name: 'models/mnist/versions/1' });
    expect(artifacts.map(({ path }) => path)).toEqual(
      ['model.safetensors', 'network.json', 'pipeline.json', 'report.json', 'signature.json'].sort(),
    );
    await importFrom(files('model.onnx', 'signature.json', 'notes.txt'));
    const onnx = await millrace.registry.getModelVersion({ name: 'models/mnist/versions/2' });
    expect(onnx.artifacts.map(({ path }) => path)).toEqual(['model.onnx', 'signature.json']);
  });

  it('makes the same version of the same files, and moves the aliases there', async () => {
    const [first, second] = [files('model.onnx'), files(...ownFiles)];
    await importFrom(first, ['champion']);
    await importFrom(second, ['champion']);
    printed = '';
    await importFrom(first, ['champion', 'candidate']);
    expect(JSON.parse(printed)).toMatchObject({
      name: 'models/mnist/versions/1',
      aliases: ['candidate', 'champion'],
    });
    expect(await millrace.registry.getModel({ name: 'models/mnist' })).toMatchObject({ latestVersion: 2 });
  });
});

describe('millrace models deploy', () => {
  beforeEach(async () => {
    await importFrom(files('model.onnx'), ['champion', 'candidate']);
    printed = '';
  });

  const deploy = (options: Partial<DeployOptions>) => modelsDeploy(millrace, 'mnist', { ...common, ...options });

  it.each<[Partial<DeployOptions>, string]>([
    [{}, 'Nothing to change'],
    [{ traffic: ['champion'] }, 'Expected --traffic to be like champion=90, or none, but received "champion"'],
    [{ traffic: ['champion=1.5'] }, 'an integer as weight'],
    [{ traffic: ['champion=99999999999'] }, 'an integer as weight'],
    [{ traffic: ['none', 'champion=1'] }, 'received "none"'],
    [{ shadow: 'candidate=-1' }, 'Expected --shadow to be like candidate=0.2'],
    [{ shadow: 'nobody=0.5' }, 'there is no alias "nobody"'],
  ])('refuses %j', async (options, reason) => {
    await expect(deploy(options)).rejects.toThrow(reason);
    expect(printed).toBe('');
  });

  it('changes what is given, and says how the model is served then', async () => {
    await deploy({ traffic: ['champion=90', 'candidate=10'], queueDelayUs: 200, preferredRows: [32, 64] });
    await deploy({ shadow: '1=0.2', cacheBytes: 1_000, timeoutOverride: false });
    const served = [
      'traffic: champion 90 %, candidate 10 %',
      'shadow: 1, 20 % of the requests',
      'batching: preferred 32 or 64 rows, waits 200 us, no timeouts of requests',
      'cache: 1000 bytes',
    ].join('\n');
    expect(printed).toContain(`models/mnist/deployment\n${served}\nNext: millrace models describe mnist\n`);
    printed = '';
    await modelsDescribe(millrace, 'mnist', common);
    expect(printed).toContain(`models/mnist\n${served}\nVERSION`);
  });

  it('takes back to the defaults what is none or 0', async () => {
    await deploy({ traffic: ['champion=1'], shadow: '1=1', cacheBytes: 5, preferredRows: [4] });
    printed = '';
    await deploy({ traffic: ['none'], shadow: 'none', cacheBytes: 0, preferredRows: [], json: true });
    expect(JSON.parse(printed)).toMatchObject({
      name: 'models/mnist/deployment',
      traffic: [],
      shadow: null,
      batching: { preferredRows: [], timeoutOverride: true },
      responseCacheBytes: 0,
    });
  });

  it('tells scripts the deployment with the model', async () => {
    await modelsDescribe(millrace, 'mnist', { ...common, json: true });
    expect(JSON.parse(printed)).toMatchObject({ name: 'models/mnist', deployment: { traffic: [] }, latestVersion: 1 });
  });
});
