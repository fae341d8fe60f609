import * as grpc from '@grpc/grpc-js';
import type {
  BatchPrediction as JobMessage,
  _millrace_v1_BatchPrediction_OnError as OnErrorName,
  BatchPrediction__Output as ReceivedJobMessage,
  _millrace_v1_BatchPrediction_State as StateName,
} from '../../proto/gen/millrace/v1/BatchPrediction.js';
import { type contracts, toTimestamp } from '../../proto/index.js';
import { invalidField, ServiceError } from '../platform/errors.js';
import type { Implementation } from '../platform/handler.js';
import { decodePageToken, pageSize, toPage } from '../platform/page-token.js';
import { ResourceName } from '../platform/resource-name.js';
import {
  type BatchPrediction,
  type BatchPredictionDraft,
  type BatchPredictionState,
  type BatchPredictions,
  isEndState,
  type OnError,
} from './batch-prediction/batch-prediction.js';
import { versionName } from './model-name.js';

type Handlers = (typeof contracts.prediction)['handlersType'];

const jobName = new ResourceName('batchPredictions/{job}');

/** The methods of `PredictionService` that are about jobs. */
export function batchPredictionMethods(jobs: BatchPredictions): Partial<Implementation<Handlers>> {
  const idOf = (name: string) => jobName.parse(name, 'name').job;
  return {
    CreateBatchPrediction: async ({ batchPrediction, requestId }) => {
      if (!batchPrediction) {
        const message = 'Expected `batch_prediction` to say what is to be predicted but it is not set.';
        throw invalidField('batch_prediction', message);
      }
      return toMessage(await jobs.createBatchPrediction(toDraft(batchPrediction), requestId || null));
    },
    GetBatchPrediction: async ({ name }) => toMessage(await jobs.getBatchPrediction(idOf(name))),
    ListBatchPredictions: async ({ pageSize: requested, pageToken }) => {
      const size = pageSize(requested);
      const rows = await jobs.listBatchPredictions(size + 1, decodePageToken(pageToken, 'number'));
      const [page, nextPageToken] = toPage(rows, size, ({ number }) => number);
      return { batchPredictions: page.map(toMessage), nextPageToken };
    },
    CancelBatchPrediction: async ({ name }) => toMessage(await jobs.cancelBatchPrediction(idOf(name))),
    WatchBatchPrediction: ({ name }, { signal, stopping }) => watch(jobs, idOf(name), signal, stopping),
  };
}

/** No revision is below 0: the first observation answers at once. */
const nothingSeen = -1;

async function* watch(jobs: BatchPredictions, id: string, signal: AbortSignal, stopping: AbortSignal) {
  const left = AbortSignal.any([signal, stopping]);
  let seen = nothingSeen;
  for (;;) {
    const observed = await unlessAborted(jobs.observeBatchPrediction(id, seen), left);
    if (!observed) {
      signal.throwIfAborted();
      const message = 'The inference service is stopping. Watch again once it is back.';
      throw new ServiceError('UNAVAILABLE', 'STOPPING', message);
    }
    const { job, revision } = observed;
    if (revision !== seen || isEndState(job.state)) {
      yield toMessage(job);
    }
    if (isEndState(job.state)) {
      return;
    }
    seen = revision;
  }
}

/** What `work` brings, or null as soon as the signal is aborted. */
function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const leave = () => resolve(null);
    if (signal.aborted) {
      leave();
    }
    signal.addEventListener('abort', leave, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', leave));
  });
}

const errorRules: ReadonlyMap<unknown, OnError> = new Map([
  ['ON_ERROR_UNSPECIFIED', 'fail'],
  ['ON_ERROR_FAIL', 'fail'],
  ['ON_ERROR_SKIP', 'skip'],
] as const satisfies [OnErrorName, OnError][]);

function toDraft(message: ReceivedJobMessage): BatchPredictionDraft {
  const { model, dataset, outputDataset, carriedColumns, includeProbability, includeScores } = message;
  const onError = errorRules.get(message.onError);
  if (!onError) {
    const text = `Expected \`batch_prediction.on_error\` to be one of ${[...errorRules.keys()].join(', ')} but received ${message.onError}.`;
    throw invalidField('batch_prediction.on_error', text);
  }
  return { model, dataset, outputDataset, carriedColumns, includeProbability, includeScores, onError };
}

const stateNames = {
  queued: 'STATE_QUEUED',
  running: 'STATE_RUNNING',
  succeeded: 'STATE_SUCCEEDED',
  failed: 'STATE_FAILED',
  cancelled: 'STATE_CANCELLED',
} as const satisfies Record<BatchPredictionState, StateName>;

function toMessage(job: BatchPrediction): JobMessage {
  const { spec, error } = job;
  const { modelVersion } = spec;
  return {
    name: jobName.format({ job: job.id }),
    model: spec.model,
    modelVersion: versionName.format({ model: modelVersion.model, version: String(modelVersion.number) }),
    dataset: spec.dataset,
    datasetVersion: spec.datasetVersion,
    outputDataset: spec.outputDataset,
    outputDatasetVersion: job.outputVersion ?? '',
    carriedColumns: [...spec.carriedColumns],
    includeProbability: spec.includeProbability,
    includeScores: spec.includeScores,
    onError: spec.onError === 'skip' ? 'ON_ERROR_SKIP' : 'ON_ERROR_FAIL',
    state: stateNames[job.state],
    rowsDone: job.rowsDone,
    rowsTotal: spec.rowsTotal,
    skippedRowCount: job.skippedRows,
    attempts: job.attempts,
    waitingReason: job.waitingReason,
    createTime: toTimestamp(job.createTimeMs),
    startTime: toTime(job.startTimeMs),
    endTime: toTime(job.endTimeMs),
    error: error && { code: grpc.status[error.code], message: error.message },
  };
}

function toTime(timeMs: number | null) {
  return timeMs === null ? null : toTimestamp(timeMs);
}
