import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ModelInferRequest } from '../../proto/gen/inference/ModelInferRequest.js';
import { classNames, expectedOutput, inputWidth, modelFiles, publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving } from '../support/serving.js';

const dataDir = mkdtempSync(path.join(tmpdir(), 'millrace-'));
let serving: Serving;

beforeAll(async () => {
  serving = await Serving.start(dataDir, '--batch-rows-max=4096');
  await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
  await publish(serving.registry, 'animals', modelFiles({ seed: 2 }), ['champion']);
  await publish(serving.registry, 'animals', modelFiles({ seed: 3 }), ['candidate']);
  await serving.serves('animals', 'candidate', 3);
  await serving.serves('animals', '1', 1);
});
afterAll(async () => {
  await serving?.stop();
  rmSync(dataDir, { recursive: true, force: true });
});

const rowsOf = (count: number) => Float32Array.from({ length: count * inputWidth }, (_, i) => ((i * 7) % 11) / 11);
const bytesOf = (values: Float32Array) => Buffer.from(values.buffer, values.byteOffset, values.byteLength);
const floatsOf = (bytes: Buffer) => new Float32Array(Uint8Array.from(bytes).buffer);

/** A good request of `rows` rows, raw. */
function request(rows = 1, more: ModelInferRequest = {}): ModelInferRequest {
  return {
    modelName: 'animals',
    inputs: [{ name: 'input', datatype: 'FP32', shape: [rows, inputWidth] }],
    rawInputContents: [bytesOf(rowsOf(rows))],
    ...more,
  };
}

describe('ModelInfer', () => {
  it('answers exactly as the network does, and says which version it was', async () => {
    const answer = await serving.inference.modelInfer(request(3, { id: 'abc' }));
    expect(answer).toMatchObject({
      modelName: 'animals',
      modelVersion: '2',
      id: 'abc',
      outputs: [{ name: 'output', datatype: 'FP32', shape: [3, 3], contents: null }],
    });
    expect(answer.rawOutputContents.map(floatsOf)).toEqual([expectedOutput({ seed: 2 }, rowsOf(3))]);
  });
});
