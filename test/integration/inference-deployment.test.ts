import { setTimeout as sleep } from 'node:timers/promises';
import * as grpc from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Deployment } from '../../proto/gen/millrace/v1/Deployment.js';
import { contracts, createClient } from '../../proto/index.js';
import { messageBytesDefault } from '../../services/platform/config.js';
import { expectedOutput, inputWidth, modelFiles, publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

let serving: Serving;

/** A server with version 1, the champion, and version 2, the candidate. */
async function start(...settings: string[]): Promise<void> {
  serving = await Serving.start(tempFolder(), ...settings);
  await publish(serving.registry, 'animals', modelFiles({ seed: 1 }), ['champion']);
  await publish(serving.registry, 'animals', modelFiles({ seed: 2 }), ['candidate']);
  await serving.serves('animals', 'champion', 1);
  await serving.serves('animals', 'candidate', 2);
}
afterEach(() => serving.stop());

const input = Float32Array.from({ length: inputWidth }, (_, i) => i / inputWidth);
const raw = Buffer.from(input.buffer);
const keys = Array.from({ length: 1_000 }, (_, i) => `user-${i}`);

interface Asking {
  /** As a parameter. */
  key?: string;
  /** As metadata. */
  header?: string;
  version?: string;
}

/** Asks once; the answer must be that of the version it names. @returns the number of that version */
async function ask({ key, header, version = '' }: Asking = {}, client = serving.inference): Promise<number> {
  const metadata = new grpc.Metadata();
  if (header !== undefined) {
    metadata.set('x-routing-key', header);
  }
  const answer = await client.modelInfer(
    {
      modelName: 'animals',
      modelVersion: version,
      parameters: key === undefined ? {} : { routing_key: { stringParam: key } },
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1, inputWidth] }],
      rawInputContents: [raw],
    },
    { metadata },
  );
  const number = Number(answer.modelVersion);
  expect(answer.rawOutputContents[0]!.equals(outputOf(number))).toBe(true);
  return number;
}

const outputs = new Map<number, Buffer>();

/** What the version of that seed answers, which has the same number. */
function outputOf(seed: number): Buffer {
  const output = outputs.get(seed) ?? Buffer.from(expectedOutput({ seed }, input).buffer);
  outputs.set(seed, output);
  return output;
}

async function predict(header?: string): Promise<string> {
  const metadata = new grpc.Metadata();
  if (header !== undefined) {
    metadata.set('x-routing-key', header);
  }
  const image = { content: Buffer.alloc(inputWidth, 100) };
  const { modelVersion } = await serving.prediction.predict(
    { model: 'models/animals', records: [{ values: { image } }] },
    { metadata },
  );
  return modelVersion.split('/').at(-1)!;
}

const askAll = (askings: Asking[]) => Promise.all(askings.map((asking) => ask(asking)));

function count(versions: readonly (number | string)[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const version of versions) {
    counts[version] = (counts[version] ?? 0) + 1;
  }
  return counts;
}

/** Changes the whole deployment, and waits until `isServed`. */
async function deploy(deployment: Deployment, isServed: () => Promise<boolean>): Promise<void> {
  await serving.registry.updateDeployment({
    deployment: { name: 'models/animals/deployment', ...deployment },
    updateMask: { paths: ['*'] },
  });
  await vi.waitFor(async () => expect(await isServed()).toBe(true), { timeout: 20_000, interval: 10 });
}

const split = (weights: Record<string, number>) =>
  Object.entries(weights).map(([target, weight]) => ({ target, weight }));

/** Whether just these versions answer. */
const answering =
  (...versions: number[]) =>
  async () =>
    Object.keys(count(await askAll(Array(40).fill({})))).join() === versions.join();

describe('traffic', () => {
  it('without keys is split by weight', async () => {
    await start();
    await deploy({ traffic: split({ champion: 80, candidate: 20 }) }, answering(1, 2));
    const counts = count(await askAll(Array(1_000).fill({})));
    // The spread is even: off by a few, where chance would be off by a few dozen.
    expect(Math.abs(counts[2]! - 200)).toBeLessThanOrEqual(5);
    expect(counts[1]! + counts[2]!).toBe(1_000);
    expect(count(await askAll(Array(50).fill({ version: 'candidate' })))).toEqual({ 2: 50 });
    expect(count(await askAll(Array(50).fill({ version: '1' })))).toEqual({ 1: 50 });
  });

  it('with keys keeps each key with its version, however the key comes', async () => {
    await start();
    await deploy({ traffic: split({ champion: 80, candidate: 20 }) }, answering(1, 2));
    const first = await askAll(keys.map((key) => ({ key })));
    // 1,000 keys at 20 % have a standard deviation of 1.3 points.
    expect(Math.abs(count(first)[2]! - 200)).toBeLessThan(50);
    expect(await askAll(keys.map((header) => ({ header })))).toEqual(first);
    // A request's own parameter goes before the call's metadata.
    expect(await askAll(keys.map((key) => ({ key, header: 'other' })))).toEqual(first);
    const records = await Promise.all(keys.slice(0, 100).map(predict));
    expect(records.map(Number)).toEqual(first.slice(0, 100));
  });

  it('with keys is the same in every worker', async () => {
    await start('--workers=2');
    await deploy({ traffic: split({ champion: 80, candidate: 20 }) }, answering(1, 2));
    const asking = keys.slice(0, 100).map((key) => ({ key }));
    const connections = await Promise.all(
      Array.from({ length: 6 }, async (_, i) => {
        // grpc-js has one connection for all that differ in nothing.
        const options = { messageBytesMax: messageBytesDefault - i };
        const client = createClient(contracts.inference, `127.0.0.1:${serving.service.port}`, options);
        try {
          return await Promise.all(asking.map((one) => ask(one, client)));
        } finally {
          client.close();
        }
      }),
    );
    expect(serving.service.workerPids()).toHaveLength(2);
    expect(Object.keys(count(connections[0]!))).toEqual(['1', '2']);
    for (const answered of connections) {
      expect(answered).toEqual(connections[0]);
    }
  });

  it('follows a promote while it is split: no request fails, and no key of the candidate moves', async () => {
    await start();
    await deploy({ traffic: split({ champion: 80, candidate: 20 }) }, answering(1, 2));
    const before = await askAll(keys.map((key) => ({ key })));
    await publish(serving.registry, 'animals', modelFiles({ seed: 3 }));
    await serving.serves('animals', '3', 3);
    let isPromoted = false;
    const during: Promise<number[]>[] = [];
    const asking = (async () => {
      while (!isPromoted) {
        during.push(askAll(keys.slice(0, 50).map((key) => ({ key }))));
        await during.at(-1);
      }
    })();
    await serving.registry.setModelAlias({ name: 'models/animals', alias: 'champion', version: 3 });
    await serving.serves('animals', 'champion', 3);
    isPromoted = true;
    await asking;
    for (const versions of await Promise.all(during)) {
      expect(versions.every((version, i) => (before[i] === 2 ? version === 2 : version !== 2))).toBe(true);
    }
    const after = await askAll(keys.map((key) => ({ key })));
    expect(after).toEqual(before.map((version) => (version === 1 ? 3 : 2)));
  });

  it('loads versions that only a target names, and lets go of them afterwards', async () => {
    await start('--loaded-versions-max=1');
    await serving.registry.deleteModelAlias({ name: 'models/animals', alias: 'candidate' });
    await publish(serving.registry, 'animals', modelFiles({ seed: 3 }));
    await serving.stopsServing('animals', '2');
    await deploy({ traffic: split({ 1: 1, 2: 1, 3: 1 }) }, answering(1, 2, 3));
    await deploy({ traffic: split({ 1: 1 }), shadow: { target: '2', fraction: 1 } }, answering(1));
    await serving.serves('animals', '2', 2);
    await deploy({}, answering(1));
    await serving.stopsServing('animals', '2');
  });

  it('goes to the other targets when one is gone or broken, to the champion when all are', async () => {
    await start();
    await publish(serving.registry, 'animals', { ...modelFiles({ seed: 3 }), 'network.json': Buffer.from('{}') });
    await deploy({ traffic: split({ candidate: 3, 3: 1 }) }, answering(2));
    await serving.registry.deleteModelAlias({ name: 'models/animals', alias: 'candidate' });
    await vi.waitFor(async () => expect(await ask()).toBe(1), { timeout: 20_000 });
    expect(count(await askAll(keys.slice(0, 100).map((key) => ({ key }))))).toEqual({ 1: 100 });
  });

  it('refuses a key of the wrong type', async () => {
    await start();
    await deploy({ traffic: split({ champion: 80, candidate: 20 }) }, answering(1, 2));
    const call = serving.inference.modelInfer({
      modelName: 'animals',
      parameters: { routing_key: { int64Param: 5 } },
      inputs: [{ name: 'input', datatype: 'FP32', shape: [1, inputWidth] }],
      rawInputContents: [raw],
    });
    expect((await rpcFailure(call)).details.fieldViolations).toMatchObject([{ field: 'parameters["routing_key"]' }]);
  });
});

describe('a shadow', () => {
  beforeEach(() => start());

  /** Copies of version 1's requests, by what became of them. */
  async function shadowed(): Promise<Record<string, number>> {
    const response = await fetch(`http://127.0.0.1:${serving.service.metricsPort}/metrics`);
    const form = /^millrace_inference_shadow_total\{(.*)\} (\d+)$/gm;
    const counts: Record<string, number> = {};
    for (const [, labels, value] of (await response.text()).matchAll(form)) {
      const { shadow, outcome } = Object.fromEntries(
        [...labels!.matchAll(/(\w+)="([^"]*)"/g)].map(([, name, text]) => [name, text]),
      );
      counts[`${shadow} ${outcome}`] = Number(value);
    }
    return counts;
  }

  const sumOf = (counts: Record<string, number>) => Object.values(counts).reduce((sum, value) => sum + value, 0);

  /** Shadows with `target`, asks as often, and waits until every copy is counted. */
  async function shadowWith(target: string, askings: (() => Promise<unknown>)[]): Promise<Record<string, number>> {
    const shadow = { target, fraction: 1 };
    await deploy({ shadow }, async () => {
      await ask();
      return sumOf(await shadowed()) > 0;
    });
    // The last of those calls that waited for the shadow may have a copy that is still to be counted.
    let counted = 0;
    for (let before = -1; counted !== before; await sleep(100)) {
      before = counted;
      counted = sumOf(await shadowed());
    }
    const copies = counted + askings.length;
    await Promise.all(askings.map((asking) => asking()));
    await vi.waitFor(async () => expect(sumOf(await shadowed())).toBe(copies), { timeout: 20_000 });
    return shadowed();
  }

  const times = <T>(number: number, work: () => T) => Array<() => T>(number).fill(work);

  it('of the same weights is equal, for tensors and for records', async () => {
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
    const counts = await shadowWith('3', [...times(10, ask), ...times(10, predict)]);
    expect(Object.keys(counts).filter((name) => counts[name]! > 0)).toEqual(['3 equal']);
  });

  it('of other classes cannot be compared, and harms nobody', async () => {
    const label = { column: 'animal', kind: 'classes' as const, classes: ['ant', 'cat', 'bee'] };
    await publish(serving.registry, 'animals', modelFiles({ seed: 2, label }));
    const counts = await shadowWith('3', times(20, ask));
    expect(Object.keys(counts).filter((name) => counts[name]! > 0)).toEqual(['3 failed']);
  });

  it('that chooses other classes differs', async () => {
    const choice = (seed: number) => {
      const output = expectedOutput({ seed }, input);
      return output.indexOf(Math.max(...output));
    };
    const seed = [3, 4, 5, 6, 7, 8, 9].find((other) => choice(other) !== choice(1))!;
    await publish(serving.registry, 'animals', modelFiles({ seed }));
    const askings = times(20, async () => {
      const { modelVersion } = await serving.inference.modelInfer({
        modelName: 'animals',
        inputs: [{ name: 'input', datatype: 'FP32', shape: [1, inputWidth] }],
        rawInputContents: [raw],
      });
      expect(modelVersion).toBe('1');
    });
    const counts = await shadowWith('3', askings);
    expect(Object.keys(counts).filter((name) => counts[name]! > 0)).toEqual(['3 different']);
  });

  it('is left behind by a crowd, which it does not slow down or fail', async () => {
    const counts = await shadowWith('candidate', times(1_000, ask));
    expect(Object.keys(counts).every((name) => name.startsWith('2 '))).toBe(true);
  });

  it('computes its share of what others answer, and nothing of what it answers itself', async () => {
    const share = { traffic: split({ champion: 1, candidate: 1 }), shadow: { target: 'candidate', fraction: 0.5 } };
    await deploy(share, answering(1, 2));
    const before = sumOf(await shadowed());
    const versions = [];
    for (let i = 0; i < 400; i++) {
      versions.push(await ask());
    }
    expect(Math.abs(count(versions)[1]! - 200)).toBeLessThanOrEqual(4);
    // Were the two choices not independent, it would be none or all 200; a few copies of before are still to be counted.
    await vi.waitFor(async () => expect(Math.abs(sumOf(await shadowed()) - before - 100)).toBeLessThan(30), {
      timeout: 20_000,
    });
  });

  it('copies nothing of requests that ask for a version', async () => {
    const counts = await shadowWith('candidate', times(5, ask));
    await Promise.all(times(20, () => ask({ version: 'champion' })).map((asking) => asking()));
    await ask();
    await vi.waitFor(async () => expect(sumOf(await shadowed())).toBe(sumOf(counts) + 1), { timeout: 20_000 });
  });
});
