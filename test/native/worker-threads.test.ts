import { createRequire } from 'node:module';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';

const require = createRequire(new URL('../../package.json', import.meta.url));

// Workers run plain JavaScript, so they take the addon itself, with an error class of their own.
const prelude = `
  const { parentPort } = require('node:worker_threads');
  const addon = require(${JSON.stringify(require.resolve('#addon'))});
  class EngineError extends Error {
    constructor(code, field, message) { super(message); Object.assign(this, { code, field }); }
  }
  addon.initialize(EngineError);
  const layer = (units, activation) => ({ type: 'dense', units, activation, kernelInitializer: 'glorotUniform' });
  const network = new addon.NetworkHandle({ inputs: 4, layers: [layer(64, 'relu'), layer(3, 'softmax')] }, 1);
  const optimizer = { type: 'adam', learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, amsgrad: false, weightDecay: 0 };
  const options = { loss: 'categoricalCrossEntropy', optimizer, batchSize: 1, seed: 1, threads: 2 };
  const trainer = new addon.TrainerHandle(network, options);
  const rows = 1e6;
  const examples = { rows, features: [{ type: 'float32', columns: 4, data: new Float32Array(rows * 4) }], targets: new Int32Array(rows) };
`;

function start(body: string): Worker {
  return new Worker(`${prelude}\n(async () => { ${body} })();`, { eval: true });
}

function message(worker: Worker): Promise<unknown> {
  return new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
}

test('each worker throws errors of its own class', async () => {
  const workers = [1, 2].map(() =>
    start(`
      let error;
      try { network.predict(new Float32Array(3), 1); } catch (thrown) { error = thrown; }
      parentPort.postMessage([error instanceof EngineError, error.code, error.field]);
    `),
  );
  for (const answer of await Promise.all(workers.map(message))) {
    expect(answer).toEqual([true, 'INVALID_ARGUMENT', 'input']);
  }
});

test('handles of the wrong kind are refused', async () => {
  const worker = start(`
    const errors = [];
    for (const call of [
      () => new addon.TrainerHandle(trainer, options),
      () => new addon.TrainerHandle({}, options),
      () => addon.NetworkHandle.prototype.predict.call(trainer, new Float32Array(4), 1),
      () => addon.TrainerHandle.prototype.cancel.call(network),
      () => addon.NetworkHandle({}, 1),
    ]) {
      try { call(); errors.push('none'); } catch (error) { errors.push(error instanceof Error); }
    }
    parentPort.postMessage(errors);
  `);
  expect(await message(worker)).toEqual([true, true, true, true, true]);
});

test('a worker can be terminated in the middle of an epoch', async () => {
  for (let round = 0; round < 5; round += 1) {
    const worker = start(`
      const second = new addon.NetworkHandle({ inputs: 4, layers: [layer(64, 'relu'), layer(3, 'softmax')] }, 1);
      trainer.trainEpoch(examples, 0, 0, () => {}, true, null).catch(() => {});
      new addon.TrainerHandle(second, options).evaluate(examples).catch(() => {});
      second.predictAsync(new Float32Array(40000), 10000, new Float32Array(30000)).catch(() => {});
      parentPort.postMessage('training');
    `);
    expect(await message(worker)).toBe('training');
    await worker.terminate();
  }
});

test('a worker that ends with an unfinished epoch is waited for', async () => {
  const worker = start(`
    trainer.trainEpoch(examples, 0, 0, null, true, null).catch(() => {});
    parentPort.postMessage('training');
    setImmediate(() => process.exit(0));
  `);
  expect(await message(worker)).toBe('training');
  expect(await new Promise((resolve) => worker.once('exit', resolve))).toBe(0);
});
