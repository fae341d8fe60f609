import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { PredictStreamResponse__Output as Answer } from '../../proto/gen/millrace/v1/PredictStreamResponse.js';
import { RpcError } from '../../proto/index.js';
import { inputWidth, modelFiles, publish } from '../support/published-model.js';
import { rpcFailure } from '../support/rpc-failure.js';
import { Serving } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

let serving: Serving;

beforeAll(async () => {
  serving = await Serving.start(tempFolder());
  await publish(serving.registry, 'animals', modelFiles({ seed: 1 }));
  await publish(serving.registry, 'animals', modelFiles({ seed: 2 }));
  await serving.serves('animals', '', 2);
  await serving.serves('animals', '1', 1);
});
afterAll(async () => {
  await serving?.stop();
});

/** An image of its own for every number. */
const record = (number: number) => ({
  values: {
    image: { content: Buffer.from(Array.from({ length: inputWidth }, (_, i) => (number * 31 + i * 17) % 256)) },
  },
});

async function collect(answers: AsyncIterable<Answer>): Promise<Answer[]> {
  const all: Answer[] = [];
  for await (const answer of answers) {
    all.push(answer);
  }
  return all;
}

describe('PredictStream', () => {
  it('refuses a message that names no model, when none before it did, and goes on', async () => {
    const answers = await collect(
      serving.prediction.predictStream([
        { id: 'a', records: [record(1)] },
        { id: 'b', model: 'models/animals', records: [record(1)] },
      ]),
    );
    expect(answers.map(({ id }) => id)).toEqual(['a', 'b']);
    expect(answers[0]!.error?.message).toContain('Expected `model` to be like one of models/{model}');
    expect(answers[1]!.error).toBeNull();
  });

  it('refuses one bad message among good ones, with what Predict would have said, and answers the others', async () => {
    const bad = { values: { image: { content: Buffer.alloc(3) } } };
    const model = 'models/animals';
    const answers = await collect(
      serving.prediction.predictStream([
        { id: '0', model, records: [record(0)] },
        { id: '1', records: [record(1), bad] },
        { id: '2', model: 'models/plants', records: [record(2)] },
        { id: '3', model: 'models/animals/versions/1', records: [record(3)] },
        { id: '4', records: [] },
        { id: '5', records: [record(5), record(6)] },
      ]),
    );
    expect(answers.map(({ id, predictions, error }) => [id, predictions.length, error?.code])).toEqual([
      ['0', 1, undefined],
      ['1', 0, 3],
      ['2', 0, 5],
      ['3', 1, undefined],
      ['4', 0, 3],
      ['5', 2, undefined],
    ]);
    const unary = await rpcFailure(serving.prediction.predict({ model, records: [record(1), bad] }));
    const told = RpcError.fromStatus(answers[1]!.error!);
    expect([told.code, told.message, told.details]).toEqual([unary.code, unary.message, unary.details]);
    expect(told.details.fieldViolations[0]!.field).toBe('records[1].values["image"]');
    expect(answers[0]!.modelVersion).toBe('models/animals/versions/2');
    expect(answers[5]!.modelVersion).toBe('models/animals/versions/1');
  });

  it('answers many small messages in order, as Predict does, computed together', async () => {
    const model = 'models/animals';
    const count = 2_000;
    const messages = Array.from({ length: count }, (_, i) => ({ id: String(i), model, records: [record(i)] }));
    const before = await executions();
    const answers = await collect(serving.prediction.predictStream(messages));
    const executed = (await executions()) - before;
    expect(answers.map(({ id }) => id)).toEqual(messages.map(({ id }) => id));
    const records = messages.flatMap((message) => message.records);
    const unary = await serving.prediction.predict({ model, records });
    expect(answers.flatMap(({ predictions }) => predictions)).toEqual(unary.predictions);
    // Client and server share an event loop here: few messages come in one turn of it, but some do.
    expect(executed).toBeLessThan(count);
  });

  it('ends with its caller', async () => {
    let seen = 0;
    const endless = async function* () {
      for (let i = 0; ; i++) {
        while (i - seen > 300) {
          await setImmediate();
        }
        yield { id: String(i), model: 'models/animals', records: [record(i)] };
      }
    };
    for await (const { error } of serving.prediction.predictStream(endless())) {
      expect(error).toBeNull();
      if (++seen === 1_000) {
        break;
      }
    }
    expect(seen).toBe(1_000);
  });
});

/** Batches that the engine has computed. */
async function executions(): Promise<number> {
  const text = await (await fetch(`http://127.0.0.1:${serving.service.metricsPort}/metrics`)).text();
  const lines = text.split('\n').filter((line) => line.startsWith('millrace_inference_batch_rows_count{'));
  expect(lines.length).toBeGreaterThan(0);
  return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}
