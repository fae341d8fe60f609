import { setImmediate } from 'node:timers/promises';
import type { Data, Field, RecordBatch, Schema } from 'apache-arrow';
import type { FittedPipeline } from '../../pipeline/index.js';
import { type Arrow, createMessageWriter, type EncodedMessage } from '../../platform/arrow-messages.js';
import { ServiceError } from '../../platform/errors.js';
import type { LoadedVersion } from '../loaded-version.js';
import { inOrder } from '../ordered-answers.js';
import type { DatasetVersion, ReceivedMessage } from '../preprocessing-client.js';
import { AnswerTable } from './answer-columns.js';
import type { BatchPredictionSpec } from './batch-prediction.js';
import { carriedColumns } from './creation.js';
import type { BatchModels } from './models.js';
import { type RowAnswers, RowPredictor } from './row-predictor.js';
import { RowReader, readBatches } from './table-rows.js';

/** What a job needs of preprocessing. */
export interface Datasets {
  datasetVersion(name: string, signal: AbortSignal): Promise<DatasetVersion>;
  rows(version: string, signal: AbortSignal): AsyncIterable<ReceivedMessage>;
  put(dataset: string, messages: AsyncIterable<EncodedMessage>, signal: AbortSignal): Promise<string>;
}

export interface AttemptParts {
  datasets: Datasets;
  models: BatchModels;
  /** Called as rows are done. */
  onRows: (done: number, skipped: number) => void;
  signal: AbortSignal;
}

/** Rows that are transformed in one turn of the event loop: calls that have come meanwhile are not kept waiting long. */
const turnRowsMax = 1_024;
const turnValuesMax = 128 * 1_024;
/** Turns whose rows may be transformed or computed at once. */
const turnsMax = 2;
/** Of a message of the output. */
const messageRowsMax = 8_192;
const messageBytesMax = 16 * 1024 * 1024;

/**
 * Predicts all rows from the first on, and makes them a dataset version. Memory is bounded by the largest message of the
 * input: rows are read, predicted and written at the pace of the slowest of the three.
 *
 * @returns the name of the version that was made
 */
export async function attempt(spec: BatchPredictionSpec, parts: AttemptParts): Promise<string> {
  const { datasets, models, signal } = parts;
  const { model, number, digest } = spec.modelVersion;
  const descriptor = await models.find(model, number, signal);
  requireSame(`models/${model}/versions/${number}`, digest, descriptor.digest);
  const dataset = await datasets.datasetVersion(spec.datasetVersion, signal);
  requireSame(dataset.name, spec.datasetDigest, dataset.digest);
  const pipeline = await models.pipeline(model, descriptor, signal);
  const version = await models.load(model, descriptor, signal);
  version.enter();
  const put = new AbortController();
  const abort = () => put.abort(signal.reason);
  signal.addEventListener('abort', abort, { once: true });
  try {
    const output = new Output(await import('apache-arrow'), spec, parts, pipeline, version);
    const messages = async function* () {
      yield* output.messages();
      signal.throwIfAborted();
      // All is sent: from here on the version is made, whatever anybody wishes.
      signal.removeEventListener('abort', abort);
    };
    return await datasets.put(spec.outputDataset, messages(), put.signal);
  } finally {
    signal.removeEventListener('abort', abort);
    version.leave();
    version.retire();
  }
}

/** What was deleted and made anew under the same name is something else. */
function requireSame(name: string, expected: string, actual: string): void {
  if (actual !== expected) {
    const message = `${name} is no longer what it was when the job was created (${expected}, now ${actual}). Create the job anew.`;
    throw new ServiceError('FAILED_PRECONDITION', 'INPUT_CHANGED', message);
  }
}

/** The output as it is being made. */
class Output {
  readonly #writer;
  readonly #answers: AnswerTable;
  readonly #predictor: RowPredictor;
  readonly #turnRows: number;

  constructor(
    private readonly arrow: Arrow,
    private readonly spec: BatchPredictionSpec,
    private readonly parts: AttemptParts,
    private readonly pipeline: FittedPipeline,
    version: LoadedVersion,
  ) {
    this.#writer = createMessageWriter(arrow);
    this.#answers = new AnswerTable(arrow, spec, pipeline.label);
    const caller = { throwIfGone: () => parts.signal.throwIfAborted() };
    this.#predictor = new RowPredictor(version, spec.onError, caller);
    const rows = Math.floor(turnValuesMax / pipeline.featureCount);
    this.#turnRows = Math.max(1, Math.min(rows, turnRowsMax, version.rowsMax));
  }

  async *messages(): AsyncGenerator<EncodedMessage> {
    const { arrow, spec, parts, pipeline } = this;
    let schema: Schema | null = null;
    let firstRow = 0;
    for await (const batch of readBatches(arrow, parts.datasets.rows(spec.datasetVersion, parts.signal))) {
      const carried = this.#carried(batch);
      if (!schema) {
        schema = new arrow.Schema([...carried.map(([field]) => field), ...this.#answers.fields]);
        this.#writer.schema(schema);
        yield* this.#writer.take();
      }
      const reader = new RowReader(arrow, pipeline, batch, firstRow);
      const sliceRows = this.#sliceRows(batch);
      for (let begin = 0; begin < batch.numRows; begin += sliceRows) {
        const end = Math.min(begin + sliceRows, batch.numRows);
        const answers = await this.#predict(reader, begin, end);
        const columns = carried.map(([, data]) => data.slice(begin, end - begin));
        this.#write(schema, end - begin, [...columns, ...this.#answers.columns(answers)]);
        yield* this.#writer.take();
      }
      firstRow += batch.numRows;
    }
  }

  #carried(batch: RecordBatch): [Field, Data][] {
    const { fields } = batch.schema;
    const names = carriedColumns(
      this.spec,
      fields.map(({ name }) => name),
    );
    return names.map((name) => {
      const index = fields.findIndex((field) => field.name === name);
      return [fields[index]!, batch.data.children[index]!];
    });
  }

  /** Rows of one message of the output, so that no message grows beyond bounds. */
  #sliceRows(batch: RecordBatch): number {
    const rowBytes = batch.data.byteLength / Math.max(1, batch.numRows) + this.#answers.rowBytes;
    return Math.max(1, Math.min(messageRowsMax, Math.floor(messageBytesMax / rowBytes)));
  }

  async #predict(reader: RowReader, begin: number, end: number): Promise<RowAnswers> {
    const turnRows = this.#turnRows;
    const turns = async function* () {
      for (let from = begin; from < end; from += turnRows) {
        // Whatever else waits for this thread has its turn first.
        await setImmediate();
        yield { from, to: Math.min(from + turnRows, end) };
      }
    };
    const predict = ({ from, to }: { from: number; to: number }) => {
      this.parts.signal.throwIfAborted();
      return this.#predictor.predict(reader, from, to);
    };
    const all: RowAnswers = [];
    for await (const answers of inOrder(turns(), async (turn) => predict(turn), turnsMax)) {
      for (const answer of answers) {
        all.push(answer);
      }
      this.parts.onRows(answers.length, answers.filter((answer) => answer === null).length);
    }
    return all;
  }

  #write(schema: Schema, length: number, children: Data[]): void {
    const { arrow } = this;
    const data = arrow.makeData({ type: new arrow.Struct(schema.fields), length, children });
    this.#writer.write(new arrow.RecordBatch(schema, data));
  }
}
