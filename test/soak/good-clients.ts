import type { InferenceClient } from '../bench/serving/own-server.js';
import { rawRequest, seedInputs, seedModel } from '../bench/serving/requests.js';
import type { KnownAnswers, Rows } from './known-answers.js';
import { add, type Ledger } from './ledger.js';

export interface Session {
  ledger: Ledger;
  answers: KnownAnswers;
  /** Aborted when the clients are to come to an end. */
  ending: AbortSignal;
}

export const rowsMax = 40;

export function check(
  { ledger, answers }: Session,
  client: string,
  version: string,
  rows: Rows,
  output: Uint8Array,
): void {
  if (answers.isRight(version, rows, output)) {
    add(ledger.answered, client);
  } else {
    ledger.violate(`${client}: a wrong answer`, `version ${version}, rows ${JSON.stringify(rows)}`);
  }
}

/** Asks again and again, one request at a time. */
export async function askUnary(session: Session, inference: InferenceClient): Promise<void> {
  const { ledger, answers, ending } = session;
  while (!ending.aborted) {
    const rows = answers.pick(rowsMax);
    const begin = performance.now();
    try {
      const answer = await inference.modelInfer(rawRequest(seedModel, seedInputs, answers.inputOf(rows)));
      check(session, 'unary', answer.modelVersion, rows, answer.rawOutputContents[0]!);
    } catch (error) {
      ledger.failed('unary', begin, error as Error);
      await pause();
    }
  }
}

/** After a failure: a client that asks on at once, while nobody is there, only counts failures. */
const pause = () => new Promise((resolve) => setTimeout(resolve, 50));

const underWayMax = 16;
const requestsOfAStream = 2_000;

/** Asks over streams, each of some thousand requests. */
export async function askByStream(session: Session, inference: InferenceClient): Promise<void> {
  while (!session.ending.aborted) {
    await askOneStream(session, inference);
  }
}

async function askOneStream(session: Session, inference: InferenceClient): Promise<void> {
  const { ledger, answers, ending } = session;
  const underWay = new Map<string, { rows: Rows; begin: number }>();
  let isBroken = false;
  let wake = () => {};
  async function* requests() {
    for (let id = 0; id < requestsOfAStream && !ending.aborted; id++) {
      while (underWay.size >= underWayMax && !isBroken) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      const rows = answers.pick(rowsMax);
      underWay.set(String(id), { rows, begin: performance.now() });
      yield { ...rawRequest(seedModel, seedInputs, answers.inputOf(rows)), id: String(id) };
    }
  }
  try {
    for await (const { errorMessage, inferResponse } of inference.modelStreamInfer(requests())) {
      const { id, modelVersion, rawOutputContents } = inferResponse!;
      const asked = underWay.get(id);
      underWay.delete(id);
      wake();
      if (!asked) {
        ledger.violate('stream: an answer to no request', `id ${id}`);
      } else if (errorMessage) {
        ledger.failed('stream', asked.begin, { message: errorMessage });
      } else {
        check(session, 'stream', modelVersion, asked.rows, rawOutputContents[0]!);
      }
    }
    for (const { begin } of underWay.values()) {
      ledger.failed('stream', begin, { message: 'the stream ended without its answer' });
    }
  } catch (error) {
    for (const { begin } of underWay.values()) {
      ledger.failed('stream', begin, error as Error);
    }
    if (underWay.size === 0) {
      ledger.failed('stream', performance.now(), error as Error);
    }
    isBroken = true;
    wake();
    await pause();
  }
}

/** Asks over REST, in JSON. */
export async function askRest(session: Session, port: number): Promise<void> {
  const { ledger, answers, ending } = session;
  while (!ending.aborted) {
    const rows = answers.pick(4);
    const begin = performance.now();
    const data = [...answers.inputOf(rows)];
    const input = { name: 'input', datatype: 'FP32', shape: [rows.count, seedInputs], data };
    try {
      const response = await fetch(`http://127.0.0.1:${port}/v2/models/${seedModel}/infer`, {
        method: 'POST',
        body: JSON.stringify({ inputs: [input] }),
      });
      const text = await response.text();
      if (response.status === 200) {
        const { model_version, outputs } = JSON.parse(text) as { model_version: string; outputs: [{ data: number[] }] };
        check(session, 'REST', model_version, rows, new Uint8Array(Float32Array.from(outputs[0].data).buffer));
      } else {
        ledger.failed('REST', begin, { code: response.status, message: text });
      }
    } catch (error) {
      ledger.failed('REST', begin, error as Error);
      await pause();
    }
  }
}
