import type { BatchPrediction__Output as BatchPrediction } from '../../proto/gen/millrace/v1/BatchPrediction.js';
import { fromTimestamp } from '../../proto/index.js';
import { type Millrace, pages } from '../sdk/index.js';
import { CommandError, type CommonOptions, show, table, toJson } from './output.js';
import { versionedName } from './predict-command.js';
import { stateWord } from './progress-bar.js';
import { datasetName, fullName, idOf } from './resource-name.js';

export interface PredictDatasetOptions extends CommonOptions {
  dataset: string;
  output?: string;
  follow?: boolean;
  carry?: string[];
  probability?: boolean;
  scores?: boolean;
  skipErrors?: boolean;
  requestId?: string;
}

/** Queues a job that predicts a dataset into another. */
export async function predictDataset(millrace: Millrace, model: string, options: PredictDatasetOptions): Promise<void> {
  if (options.output === undefined) {
    throw new CommandError('--dataset needs --output NAME, the dataset that it is predicted into.');
  }
  const job = await millrace.prediction.createBatchPrediction({
    batchPrediction: {
      model: versionedName(model),
      dataset: datasetName(options.dataset),
      outputDataset: fullName('datasets', options.output),
      carriedColumns: options.carry ?? [],
      includeProbability: options.probability ?? false,
      includeScores: options.scores ?? false,
      onError: options.skipErrors ? 'ON_ERROR_SKIP' : 'ON_ERROR_FAIL',
    },
    requestId: options.requestId ?? '',
  });
  if (options.follow) {
    await followToEnd(millrace, job.name, options);
  } else {
    show(options, job, [job.name], `millrace predictions watch ${idOf(job.name)}`);
  }
}

export async function predictionsList(millrace: Millrace, options: CommonOptions): Promise<void> {
  const jobs: BatchPrediction[] = [];
  for await (const page of pages((pageToken) => millrace.prediction.listBatchPredictions({ pageToken }))) {
    jobs.push(...page.batchPredictions);
  }
  const rows = jobs.map((job) => [
    idOf(job.name),
    stateWord(job.state),
    `${job.rowsDone}/${job.rowsTotal}`,
    job.modelVersion,
    job.outputDatasetVersion || job.outputDataset,
    job.createTime ? new Date(fromTimestamp(job.createTime)).toISOString() : '',
  ]);
  const heading = ['JOB', 'STATE', 'ROWS', 'MODEL', 'OUTPUT', 'CREATED'];
  show(options, jobs, table([heading, ...rows]), 'millrace predictions watch JOB');
}

export async function predictionsWatch(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  await followToEnd(millrace, fullName('batchPredictions', id), options);
}

export async function predictionsCancel(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const job = await millrace.prediction.cancelBatchPrediction({ name: fullName('batchPredictions', id) });
  const words = job.state === 'STATE_CANCELLED' ? 'is cancelled' : `is ${stateWord(job.state)} and stops`;
  show(options, job, [`${job.name} ${words}`]);
}

/** Shows a job to its end: a line for people that is written over, or one JSON object a change. */
async function followToEnd(millrace: Millrace, name: string, options: CommonOptions): Promise<void> {
  for await (const job of millrace.followBatchPrediction(name)) {
    if (options.json) {
      process.stdout.write(`${toJson(job)}\n`);
    } else {
      process.stdout.write(process.stdout.isTTY ? `\r\x1b[2K${describe(job)}` : `${describe(job)}\n`);
    }
    if (job.state === 'STATE_FAILED' || job.state === 'STATE_CANCELLED') {
      endLine(options);
      const reason = job.error ? `failed: ${job.error.message}` : 'was cancelled.';
      throw new CommandError(`${name} ${reason}`);
    }
    if (job.state === 'STATE_SUCCEEDED' && !options.json) {
      endLine(options);
      const [, dataset] = job.outputDatasetVersion.split('/');
      process.stdout.write(`${job.outputDatasetVersion}\nNext: millrace data describe ${dataset}\n`);
    }
  }
}

/** Leaves the line that is written over. */
function endLine({ json }: CommonOptions): void {
  if (!json && process.stdout.isTTY) {
    process.stdout.write('\n');
  }
}

function describe({ name, state, rowsDone, rowsTotal, skippedRowCount, waitingReason }: BatchPrediction): string {
  const skipped = skippedRowCount > 0 ? `, ${skippedRowCount} skipped` : '';
  const waits = waitingReason ? `  waits: ${waitingReason}` : '';
  return `${name}  ${stateWord(state)}  ${rowsDone} of ${rowsTotal} rows${skipped}${waits}`;
}
