import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { expectedOutput, type Files, inputWidth, json, modelFiles, publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

let serving: Serving;

async function start(...settings: string[]): Promise<void> {
  serving = await Serving.start(tempFolder(), ...settings);
}
afterEach(() => serving.stop());

const input = Float32Array.from({ length: inputWidth }, (_, i) => i / inputWidth);
const raw = Buffer.from(input.buffer);

const ask = (model: string, modelVersion = '') =>
  serving.inference.modelInfer({
    modelName: model,
    modelVersion,
    inputs: [{ name: 'input', datatype: 'FP32', shape: [1, inputWidth] }],
    rawInputContents: [raw],
  });

const statesOf = async () => {
  const { models } = await serving.inference.repositoryIndex({});
  return Object.fromEntries(models.map(({ name, version, state }) => [`${name}:${version}`, state]));
};

describe('before the first sync', () => {
  it('is live but not ready, does not call a model unknown, and waits for the registry', async () => {
    serving = await Serving.startAlone(tempFolder());
    await serving.changeUnseen(async (registry) => {
      await publish(registry, 'animals', modelFiles({ seed: 1 }));
    });
    expect(await serving.inference.serverLive({})).toEqual({ live: true });
    expect(await serving.inference.serverReady({})).toEqual({ ready: false });
    expect(await serving.inference.modelReady({ name: 'animals' })).toEqual({ ready: false });
    expect(await rpcFailure(ask('animals'))).toMatchObject({
      code: 'UNAVAILABLE',
      details: { reason: 'SERVER_NOT_READY' },
    });
    await serving.startRegistry();
    await vi.waitFor(async () => expect(await serving.inference.serverReady({})).toEqual({ ready: true }), 20_000);
    // Ready means that everything of the first sync is there.
    expect(await ask('animals')).toMatchObject({ modelVersion: '1' });
  });
});

describe('a broken version', () => {
  beforeEach(async () => {
    await start();
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }), ['champion']);
    await serving.serves('animals', '', 1);
  });

  const good = modelFiles({ seed: 2 });
  const without = (path: string): Files => Object.fromEntries(Object.entries(good).filter(([name]) => name !== path));
  const changed = (path: string, change: object): Files => ({
    ...good,
    [path]: json({ ...(JSON.parse(Buffer.from(good[path]!).toString()) as object), ...change }),
  });
  const poisoned = Buffer.from(good['model.safetensors']!);
  poisoned.writeFloatLE(Number.NaN, poisoned.length - 4);

  it.each<[string, Files, RegExp]>([
    ['has no weights', without('model.safetensors'), /no model\.safetensors/],
    ['has no pipeline', without('pipeline.json'), /no pipeline\.json/],
    [
      'has truncated weights',
      { ...good, 'model.safetensors': good['model.safetensors']!.subarray(0, 200) },
      /model\.safetensors does not fit/,
    ],
    ['has weights that are not finite', { ...good, 'model.safetensors': poisoned }, /model\.safetensors does not fit/],
    ['has weights of another shape', changed('network.json', { inputs: 17 }), /width 16.*17/],
    [
      'has an unknown activation',
      changed('network.json', {
        layers: [{ type: 'dense', units: 3, activation: 'swish', kernelInitializer: 'zeros' }],
      }),
      /network\.json.*activation/,
    ],
    ['has a key that is not known', changed('network.json', { inptus: 16 }), /network\.json.*inptus/],
    ['is of another format', changed('network.json', { format: 'millrace.network/2' }), /network\.json.*format/],
    ['is not JSON', { ...good, 'signature.json': Buffer.from('{') }, /signature\.json is not JSON/],
    ['names too few classes', changed('signature.json', { classes: ['ant', 'bee'] }), /2 classes.*3/],
    [
      'names other classes than its pipeline',
      changed('signature.json', { classes: ['a', 'b', 'c'] }),
      /different classes/,
    ],
    ['has a pipeline that is not one', { ...good, 'pipeline.json': json({ format: 'x' }) }, /pipeline\.json/],
  ])('that %s is UNAVAILABLE with the reason, and harms no other', async (_, files, reason) => {
    await publish(serving.registry, 'animals', files, ['champion']);
    await publish(serving.registry, 'plants', modelFiles({ seed: 3 }));
    await serving.serves('plants', '', 1);
    await vi.waitFor(async () => expect(await statesOf()).toMatchObject({ 'animals:2': 'UNAVAILABLE' }), 20_000);
    const { models } = await serving.inference.repositoryIndex({});
    expect(models.find(({ name, version }) => name === 'animals' && version === '2')?.reason).toMatch(reason);
    expect((await serving.inference.repositoryIndex({ ready: true })).models).toHaveLength(2);
    expect(await serving.inference.modelReady({ name: 'animals', version: '2' })).toEqual({ ready: false });
    expect(await rpcFailure(ask('animals', '2'))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringMatching(/version 2 is not at ready state.*cannot be loaded/),
    });
    // The promoted version cannot answer, so the one before it goes on.
    expect(await ask('animals', 'champion')).toMatchObject({ modelVersion: '1' });
    expect(await ask('animals')).toMatchObject({ modelVersion: '1' });
  });

  it('whose alias cannot be served by an older one is refused rather than replaced by an unpromoted version', async () => {
    await publish(serving.registry, 'plants', without('network.json'), ['champion']);
    await publish(serving.registry, 'plants', modelFiles({ seed: 3 }));
    await serving.serves('plants', '2', 2);
    expect(await rpcFailure(ask('plants'))).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining("'plants' version 1 is not at ready state"),
    });
    await serving.registry.setModelAlias({ name: 'models/plants', alias: 'champion', version: 2 });
    await serving.serves('plants', '', 2);
  });
});

describe('following the registry', () => {
  it('serves the newest version where no champion is', async () => {
    await start();
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
    await serving.serves('animals', '', 1);
    await publish(serving.registry, 'animals', modelFiles({ seed: 2 }), ['candidate']);
    await serving.serves('animals', '', 2);
    await serving.registry.setModelAlias({ name: 'models/animals', alias: 'champion', version: 1 });
    await serving.serves('animals', '', 1);
    await serving.registry.deleteModelAlias({ name: 'models/animals', alias: 'champion' });
    await serving.serves('animals', '', 2);
  });

  it('keeps the newest versions and those with an alias, and lets go of the others', async () => {
    await start('--loaded-versions-max=2');
    for (let seed = 1; seed <= 5; seed++) {
      await publish(serving.registry, 'animals', modelFiles({ seed }), seed === 2 ? ['champion'] : []);
    }
    await serving.serves('animals', '5', 5);
    await serving.serves('animals', '', 2);
    await serving.stopsServing('animals', '3');
    // Which of them is loaded first is not said.
    const ready = { 'animals:2': 'READY', 'animals:4': 'READY', 'animals:5': 'READY' };
    await expect.poll(statesOf, { timeout: 30_000 }).toEqual(ready);
    expect(await rpcFailure(ask('animals', '1'))).toMatchObject({ code: 'NOT_FOUND' });
    await serving.registry.setModelAlias({ name: 'models/animals', alias: 'champion', version: 1 });
    await serving.serves('animals', '', 1);
    await serving.stopsServing('animals', '2');
  });

  it('stops serving what is deleted', async () => {
    await start();
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
    await publish(serving.registry, 'animals', modelFiles({ seed: 2 }));
    await serving.serves('animals', '2', 2);
    await serving.registry.deleteModelVersion({ name: 'models/animals/versions/2' });
    await serving.serves('animals', '', 1);
    await serving.stopsServing('animals', '2');
    await serving.registry.deleteModel({ name: 'models/animals' });
    await serving.stopsServing('animals', '');
    expect(await rpcFailure(ask('animals'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await statesOf()).toEqual({});
  });

  it('answers with exactly one version, and never fails, while an alias moves under load', async () => {
    await start();
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }), ['champion']);
    await publish(serving.registry, 'animals', modelFiles({ seed: 2 }));
    await serving.serves('animals', '2', 2);
    const expected = new Map([1, 2].map((seed) => [String(seed), expectedOutput({ seed }, input)]));
    const answered = new Set<string>();
    let answers = 0;
    let isMoving = true;
    const callers = Array.from({ length: 8 }, async () => {
      while (isMoving) {
        const { modelVersion, rawOutputContents } = await ask('animals', 'champion');
        expect(new Float32Array(Uint8Array.from(rawOutputContents[0]!).buffer)).toEqual(expected.get(modelVersion));
        answered.add(modelVersion);
        answers++;
      }
    });
    for (let move = 1; move <= 20; move++) {
      const version = 1 + (move % 2);
      await serving.registry.setModelAlias({ name: 'models/animals', alias: 'champion', version });
      await serving.serves('animals', 'champion', version);
    }
    isMoving = false;
    await Promise.all(callers);
    expect([...answered].sort()).toEqual(['1', '2']);
    expect(answers).toBeGreaterThan(40);
  });

  it('finishes long requests of a version that is replaced meanwhile, and frees it afterwards', async () => {
    const layers = [
      { type: 'dense' as const, units: 512, activation: 'relu' as const, kernelInitializer: 'heUniform' as const },
      { type: 'dense' as const, units: 3, activation: 'softmax' as const, kernelInitializer: 'glorotUniform' as const },
    ];
    await start('--loaded-versions-max=1');
    await publish(serving.registry, 'animals', modelFiles({ seed: 1, layers }));
    await serving.serves('animals', '', 1);
    const rows = 4_000;
    const values = Float32Array.from({ length: rows * inputWidth }, (_, i) => (i % 17) / 17);
    const expected = expectedOutput({ seed: 1, layers }, values);
    const requests = Array.from({ length: 20 }, () =>
      serving.inference.modelInfer({
        modelName: 'animals',
        modelVersion: '1',
        inputs: [{ name: 'input', datatype: 'FP32', shape: [rows, inputWidth] }],
        rawInputContents: [Buffer.from(values.buffer)],
      }),
    );
    const settled = Promise.allSettled(requests);
    // One is answered, the others are on their way or wait for their turn.
    await Promise.race(requests);
    await publish(serving.registry, 'animals', modelFiles({ seed: 2, layers }));
    await serving.serves('animals', '', 2);
    await serving.stopsServing('animals', '1');
    const outcomes = await settled;
    for (const outcome of outcomes) {
      // A request that came after the change was refused; none was answered wrongly.
      if (outcome.status === 'fulfilled') {
        const output = new Float32Array(Uint8Array.from(outcome.value.rawOutputContents[0]!).buffer);
        expect(output).toEqual(expected);
      } else {
        expect(outcome.reason).toMatchObject({ code: 'NOT_FOUND' });
      }
    }
    expect(outcomes.some(({ status }) => status === 'fulfilled')).toBe(true);
  });
});

describe('more requests than may wait', () => {
  it('are refused at once, while those that were accepted are answered', async () => {
    const layers = [
      { type: 'dense' as const, units: 1_024, activation: 'relu' as const, kernelInitializer: 'heUniform' as const },
      { type: 'dense' as const, units: 1_024, activation: 'relu' as const, kernelInitializer: 'heUniform' as const },
      { type: 'dense' as const, units: 3, activation: 'softmax' as const, kernelInitializer: 'glorotUniform' as const },
    ];
    await start('--max-in-flight=1');
    await publish(serving.registry, 'animals', modelFiles({ seed: 1, layers }));
    await serving.serves('animals', '', 1);
    const rows = 4_000;
    const values = Float32Array.from({ length: rows * inputWidth }, (_, i) => (i % 17) / 17);
    const expected = expectedOutput({ seed: 1, layers }, values);
    const large = {
      modelName: 'animals',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [rows, inputWidth] }],
      rawInputContents: [Buffer.from(values.buffer)],
    };
    const outcomes = await Promise.allSettled(Array.from({ length: 10 }, () => serving.inference.modelInfer(large)));
    const answers = outcomes.filter((outcome) => outcome.status === 'fulfilled');
    const refusals = outcomes.filter((outcome) => outcome.status === 'rejected');
    for (const { value } of answers) {
      expect(new Float32Array(Uint8Array.from(value.rawOutputContents[0]!).buffer)).toEqual(expected);
    }
    for (const { reason } of refusals) {
      expect(reason).toMatchObject({ code: 'RESOURCE_EXHAUSTED', details: { reason: 'SERVER_BUSY' } });
    }
    expect(answers.length).toBeGreaterThan(0);
    expect(refusals.length).toBeGreaterThan(0);
    expect(await ask('animals')).toMatchObject({ modelVersion: '1' });
  });
});

describe('a registry that goes away', () => {
  it('costs no answer, and what changed meanwhile is caught up on', async () => {
    await start();
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }), ['champion']);
    await publish(serving.registry, 'plants', modelFiles({ seed: 2 }));
    await publish(serving.registry, 'stones', modelFiles({ seed: 3 }));
    await Promise.all(['animals', 'plants', 'stones'].map((model) => serving.serves(model, '', 1)));

    await serving.stopRegistry();
    expect(await serving.inference.serverReady({})).toEqual({ ready: true });
    expect(await ask('animals')).toMatchObject({ modelVersion: '1' });

    // While nobody watches: one model is gone, one is made anew under its old name, one has a new champion.
    await serving.changeUnseen(async (registry) => {
      await registry.deleteModel({ name: 'models/plants' });
      await registry.deleteModel({ name: 'models/stones' });
      await publish(registry, 'stones', modelFiles({ seed: 4 }));
      await publish(registry, 'animals', modelFiles({ seed: 5 }), ['champion']);
    });
    expect(await ask('animals')).toMatchObject({ modelVersion: '1' });

    await serving.startRegistry();
    await serving.serves('animals', '', 2);
    await serving.stopsServing('plants', '');
    const remade = expectedOutput({ seed: 4 }, input);
    await vi.waitFor(async () => {
      const { rawOutputContents } = await ask('stones');
      expect(new Float32Array(Uint8Array.from(rawOutputContents[0]!).buffer)).toEqual(remade);
    }, 20_000);
    expect(await statesOf()).toEqual({ 'animals:1': 'READY', 'animals:2': 'READY', 'stones:2': 'READY' });
  });
});

describe('the metrics', () => {
  it('forget a version that is no longer served', async () => {
    await start('--loaded-versions-max=1');
    const metrics = async () => (await fetch(`http://127.0.0.1:${serving.service.metricsPort}/metrics`)).text();
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
    await serving.serves('animals', '', 1);
    expect(await metrics()).toContain('millrace_inference_requests_total{model="animals",version="1"');
    await publish(serving.registry, 'animals', modelFiles({ seed: 2 }));
    await serving.serves('animals', '', 2);
    await serving.stopsServing('animals', '1');
    const text = await metrics();
    expect(text).toContain('millrace_inference_requests_total{model="animals",version="2"');
    expect(text).not.toContain('version="1"');
  });
});
