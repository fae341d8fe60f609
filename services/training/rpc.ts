import * as grpc from '@grpc/grpc-js';
import type { EpochMetrics as EpochMessage } from '../../proto/gen/millrace/v1/EpochMetrics.js';
import type { TrainingEvent as EventMessage } from '../../proto/gen/millrace/v1/TrainingEvent.js';
import type {
  TrainingJob as JobMessage,
  _millrace_v1_TrainingJob_State as StateName,
} from '../../proto/gen/millrace/v1/TrainingJob.js';
import { contracts, perObject, toTimestamp } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import { pageSize } from '../platform/page-token.js';
import { ResourceName } from '../platform/resource-name.js';
import { EventBursts } from './event-bursts.js';
import { type EpochMetrics, isLastEvent, type JobError, type KeptEvent, type TrainingJob } from './job.js';
import { createJob, explainSpec, type JobCreationDependencies } from './job-creation.js';
import type { JobQueue } from './job-queue.js';
import type { JobState } from './job-state.js';
import type { JobStore } from './job-store.js';
import { watchJob, watchJobs } from './job-watch.js';
import { toDraft, toPlanMessage, toSpecMessage } from './spec-rpc.js';
import type { EndReason } from './training-goal.js';

const jobName = new ResourceName('trainingJobs/{job}');

/** `millrace.v1.TrainingService` on a store and the queue that runs it. */
export function trainingService(
  store: JobStore,
  queue: JobQueue,
  creation: JobCreationDependencies,
): ImplementedContract {
  const bursts = new EventBursts(store);
  return implement(contracts.training, {
    async CreateTrainingJob({ spec, requestId, stepEventsPerSecond, ...placing }, { signal }) {
      const request = {
        ...placing,
        requestId: requestId || null,
        stepEventsPerSecond: stepEventsPerSecond || stepEventsDefault,
      };
      const job = await createJob(creation, toDraft(spec), request, signal);
      queue.wake();
      return toJobMessage(job);
    },
    async ExplainTrainingSpec({ spec }, { signal }) {
      return toPlanMessage(await explainSpec(creation, toDraft(spec), signal));
    },
    async GetTrainingJob({ name }) {
      return toJobMessage(await store.get(jobName.parse(name, 'name').job));
    },
    async ListTrainingJobs({ pageSize: requested, ...listing }) {
      const { jobs, ...page } = await store.list({ ...listing, pageSize: pageSize(requested) });
      return { trainingJobs: jobs.map(toJobMessage), ...page };
    },
    async CancelTrainingJob({ name }) {
      return toJobMessage(await queue.cancel(jobName.parse(name, 'name').job));
    },
    async PauseTrainingJob({ name }) {
      return toJobMessage(await queue.pause(jobName.parse(name, 'name').job));
    },
    async ResumeTrainingJob({ name }) {
      return toJobMessage(await queue.resume(jobName.parse(name, 'name').job));
    },
    async DeleteTrainingJob({ name }) {
      await queue.remove(jobName.parse(name, 'name').job);
      return {};
    },
    async *WatchTrainingJob({ name, afterSequence, ...options }, { signal, stopping }) {
      const { job } = jobName.parse(name, 'name');
      const both = AbortSignal.any([signal, stopping]);
      let sequence = afterSequence;
      let hasEnded = false;
      for await (const event of watchJob(store, job, { ...options, after: afterSequence }, both, bursts)) {
        yield toEventMessage(event);
        sequence = event.sequence;
        hasEnded = isLastEvent(event);
      }
      if (!hasEnded) {
        refuseToStay(stopping, `sequence ${sequence}`);
      }
    },
    async *WatchTrainingJobs({ filter, afterPosition, ...options }, { signal, stopping }) {
      const both = AbortSignal.any([signal, stopping]);
      let position = afterPosition;
      for await (const event of watchJobs(store, filter, { ...options, after: afterPosition }, both, bursts)) {
        ({ position } = event);
        yield toJobEventMessage(event);
      }
      refuseToStay(stopping, `position ${position}`);
    },
  });
}

const stepEventsDefault = 5;

/** A stream that ends because the service does says so: else it would look like one that has told all. */
function refuseToStay(stopping: AbortSignal, place: string): void {
  if (stopping.aborted) {
    const message = `The training service is stopping. Watch again from ${place} once it is back.`;
    throw new ServiceError('UNAVAILABLE', 'STOPPING', message);
  }
}

const stateNames = {
  queued: 'STATE_QUEUED',
  preparing: 'STATE_PREPARING',
  training: 'STATE_TRAINING',
  testing: 'STATE_TESTING',
  publishing: 'STATE_PUBLISHING',
  paused: 'STATE_PAUSED',
  succeeded: 'STATE_SUCCEEDED',
  failed: 'STATE_FAILED',
  cancelled: 'STATE_CANCELLED',
} as const satisfies Record<JobState, StateName>;

const severityNames = { info: 'SEVERITY_INFO', warning: 'SEVERITY_WARNING' } as const;

/** Lists have the same objects while jobs do not change. */
const toJobMessage = perObject((job: TrainingJob): JobMessage => {
  return {
    name: jobName.format({ job: job.id }),
    owner: job.owner,
    priority: job.priority,
    labels: job.labels,
    stepEventsPerSecond: job.stepEventsPerSecond,
    spec: toSpecMessage(job.spec),
    state: stateNames[job.state],
    epochsDone: job.epochsDone,
    latestSequence: job.latestSequence,
    createTime: toTimestamp(job.createTimeMs),
    startTime: toTime(job.startTimeMs),
    pauseTime: toTime(job.pauseTimeMs),
    endTime: toTime(job.endTimeMs),
    attemptCount: job.attemptCount,
    error: toStatus(job.error),
    modelVersion: job.modelVersion ?? '',
    latestEpoch: job.latestEpoch && toEpochMessage(job.latestEpoch),
    test: job.test && { ...job.test, accuracy: job.test.accuracy ?? undefined },
  };
});

function toTime(timeMs: number | null) {
  return timeMs === null ? null : toTimestamp(timeMs);
}

function toStatus(error: JobError | null | undefined) {
  return error ? { code: grpc.status[error.code], message: error.message } : null;
}

const reasonNames = {
  epochs: 'REASON_EPOCHS',
  steps: 'REASON_STEPS',
  seconds: 'REASON_SECONDS',
  earlyStopping: 'REASON_EARLY_STOPPING',
} as const satisfies Record<EndReason, string>;

/** Of what is committed all watchers get the same objects, so that each is written once. */
const toEventMessage = perObject(({ sequence, timeMs, happening }: KeptEvent): EventMessage => {
  const numbered = { sequence, time: toTimestamp(timeMs) };
  switch (happening.kind) {
    case 'stateChange': {
      const { state, error, modelVersion } = happening;
      return { ...numbered, stateChange: { state: stateNames[state], error: toStatus(error), modelVersion } };
    }
    case 'step':
      return { ...numbered, step: { ...happening, accuracy: happening.accuracy ?? undefined } };
    case 'epoch':
      return { ...numbered, epoch: toEpochMessage(happening) };
    case 'test':
      return { ...numbered, test: { ...happening, accuracy: happening.accuracy ?? undefined } };
    case 'trainingEnd': {
      const { reason, ...end } = happening;
      return { ...numbered, trainingEnd: { ...end, reason: reasonNames[reason] } };
    }
    case 'fold':
      return { ...numbered, fold: happening };
    case 'crossValidation':
      return { ...numbered, crossValidation: happening };
    case 'learningCurve':
      return { ...numbered, learningCurve: happening };
    case 'resumed':
      return { ...numbered, resumed: happening };
    case 'checkpoint':
      return { ...numbered, checkpoint: happening };
    case 'log':
      return { ...numbered, log: { severity: severityNames[happening.severity], text: happening.text } };
  }
});

const toJobEventMessage = perObject((event: KeptEvent) => ({
  trainingJob: jobName.format({ job: event.jobId }),
  position: event.position,
  event: toEventMessage(event),
}));

function toEpochMessage({ accuracy, validationLoss, validationAccuracy, ...metrics }: EpochMetrics): EpochMessage {
  return {
    ...metrics,
    accuracy: accuracy ?? undefined,
    validationLoss: validationLoss ?? undefined,
    validationAccuracy: validationAccuracy ?? undefined,
  };
}
