import * as grpc from '@grpc/grpc-js';
import type { ScalarValue, ScalarValue__Output } from '../../proto/gen/millrace/v1/ScalarValue.js';
import type { SearchRange__Output } from '../../proto/gen/millrace/v1/SearchRange.js';
import type { TrainingSpec, TrainingSpec__Output } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import type { TuneSpec as TuneMessage, TuneSpec__Output } from '../../proto/gen/millrace/v1/TuneSpec.js';
import type { TuningEvent as EventMessage } from '../../proto/gen/millrace/v1/TuningEvent.js';
import type { TuningJob as TuningMessage } from '../../proto/gen/millrace/v1/TuningJob.js';
import type { TuningTrial as TrialMessage } from '../../proto/gen/millrace/v1/TuningTrial.js';
import { contracts, toTimestamp } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import { pageSize } from '../platform/page-token.js';
import { ResourceName } from '../platform/resource-name.js';
import { metricNames } from './contract-names.js';
import type { JobError } from './job.js';
import { toDraft } from './spec-rpc.js';
import type { Value } from './tuning/search-space.js';
import { isTrialEnd } from './tuning/searcher.js';
import { bestTrial, rank } from './tuning/trial-ranking.js';
import type { RangeDraft, SearchMethod, StopEarly, TuneDraft, TuneSpec } from './tuning/tune-spec.js';
import { createTuning, type TuningCreationDependencies } from './tuning/tuning-creation.js';
import {
  isLastTuningEvent,
  type KeptTuningEvent,
  newsOf,
  type Trial,
  type TrialNews,
  type TuningJob,
  type TuningState,
  toPastTrial,
} from './tuning/tuning-job.js';
import { watchTuning } from './tuning/tuning-watch.js';
import type { Tunings } from './tuning/tunings.js';

const tuningName = new ResourceName('tuningJobs/{tuning}');
const jobName = new ResourceName('trainingJobs/{job}');

/** `millrace.v1.TuningService` on what runs the tunings. */
export function tuningService(
  tunings: Tunings,
  creation: Omit<TuningCreationDependencies, 'toDraft'>,
): ImplementedContract {
  const store = creation.tunings;
  const withTrials = async (tuning: TuningJob) => toTuningMessage(tuning, await store.trials(tuning.number));
  return implement(contracts.tuning, {
    async CreateTuningJob({ spec, tune, requestId, owner, priority, labels }, { signal }) {
      const request = { requestId: requestId || null, owner, priority, labels };
      const dependencies = { ...creation, toDraft: toSpecDraft };
      const tuning = await createTuning(dependencies, spec ?? {}, toTuneDraft(tune), request, signal);
      tunings.begin(tuning);
      return withTrials(tuning);
    },
    async GetTuningJob({ name }) {
      return withTrials(await store.get(tuningName.parse(name, 'name').tuning));
    },
    async ListTuningJobs({ pageSize: requested, pageToken }) {
      const page = await store.list(pageSize(requested), pageToken);
      const messages = page.tunings.map(async (tuning) => ({ ...(await withTrials(tuning)), trials: [] }));
      return { tuningJobs: await Promise.all(messages), nextPageToken: page.nextPageToken };
    },
    async CancelTuningJob({ name }) {
      return withTrials(await tunings.cancel(tuningName.parse(name, 'name').tuning));
    },
    async PauseTuningJob({ name }) {
      return withTrials(await tunings.pause(tuningName.parse(name, 'name').tuning));
    },
    async ResumeTuningJob({ name }) {
      return withTrials(await tunings.resume(tuningName.parse(name, 'name').tuning));
    },
    async DeleteTuningJob({ name }) {
      await tunings.remove(tuningName.parse(name, 'name').tuning);
      return {};
    },
    async *WatchTuningJob({ name, afterSequence }, { signal, stopping }) {
      const { tuning } = tuningName.parse(name, 'name');
      let sequence = afterSequence;
      for await (const event of watchTuning(store, tuning, afterSequence, AbortSignal.any([signal, stopping]))) {
        yield toEventMessage(event);
        ({ sequence } = event);
        if (isLastTuningEvent(event)) {
          return;
        }
      }
      if (stopping.aborted) {
        const message = `The training service is stopping. Watch again from sequence ${sequence} once it is back.`;
        throw new ServiceError('UNAVAILABLE', 'STOPPING', message);
      }
    },
  });
}

/** A training spec's message in our words. */
export function toSpecDraft(spec: object) {
  return toDraft(spec as TrainingSpec__Output);
}

const methodNames = {
  random: 'SEARCH_METHOD_RANDOM',
  sobol: 'SEARCH_METHOD_SOBOL',
  tpe: 'SEARCH_METHOD_TPE',
} as const satisfies Record<SearchMethod, string>;

const stopNames = {
  none: 'STOP_EARLY_NONE',
  asha: 'STOP_EARLY_ASHA',
  hyperband: 'STOP_EARLY_HYPERBAND',
  median: 'STOP_EARLY_MEDIAN',
} as const satisfies Record<StopEarly, string>;

const stateNames = {
  tuning: 'STATE_TUNING',
  publishing: 'STATE_PUBLISHING',
  paused: 'STATE_PAUSED',
  succeeded: 'STATE_SUCCEEDED',
  failed: 'STATE_FAILED',
  cancelled: 'STATE_CANCELLED',
} as const satisfies Record<TuningState, string>;

const trialStateNames = {
  running: 'STATE_RUNNING',
  paused: 'STATE_PAUSED',
  complete: 'STATE_COMPLETE',
  stopped: 'STATE_STOPPED',
  cutOff: 'STATE_CUT_OFF',
  failed: 'STATE_FAILED',
} as const satisfies Record<Trial['state'], string>;

/** Our word for a name of the contract; null for the unspecified one. */
function wordOf<Word extends string>(names: Record<Word, string>, name: string | undefined): Word | null {
  return (Object.keys(names) as Word[]).find((word) => names[word] === name) ?? null;
}

function toTuneDraft(message: TuneSpec__Output | null): TuneDraft {
  const space = message?.space ?? {};
  const { objective } = message ?? {};
  return {
    space: Object.fromEntries(Object.entries(space).map(([name, range]) => [name, toRange(range)])),
    spaceMessage: space,
    method: wordOf(methodNames, message?.method),
    trials: message?.trials ?? 0,
    parallel: message?.parallel ?? 0,
    objective: objective === 'METRIC_UNSPECIFIED' ? null : (wordOf(metricNames, objective) ?? objective ?? null),
    stopEarly: wordOf(stopNames, message?.stopEarly),
    seconds: message?.seconds ?? 0,
    seed: message?.seed ?? 0,
    asha: message?.asha ?? null,
    hyperband: message?.hyperband ?? null,
  };
}

function toRange({ uniform, logUniform, integer, choice, when }: SearchRange__Output): RangeDraft {
  const numbers = uniform ?? logUniform ?? integer;
  const type = uniform ? 'uniform' : logUniform ? 'logUniform' : integer ? 'integer' : choice ? 'choice' : null;
  return {
    type,
    low: numbers?.low ?? 0,
    high: numbers?.high ?? 0,
    step: integer?.step ?? 0,
    log: integer?.log ?? false,
    options: (choice?.options ?? []).map(toValue),
    when: when.map(({ path, oneOf }) => ({ path, oneOf: oneOf.map(toValue) })),
  };
}

function toValue({ kind, number, text, flag }: ScalarValue__Output): Value | null {
  switch (kind) {
    case 'number':
      return number!;
    case 'text':
      return text!;
    case 'flag':
      return flag!;
    default:
      return null;
  }
}

function toScalar(value: Value): ScalarValue {
  return typeof value === 'number' ? { number: value } : typeof value === 'boolean' ? { flag: value } : { text: value };
}

function toTuneMessage(tune: TuneSpec): TuneMessage {
  const { spaceMessage, method, objective, stopEarly, trials, parallel, seconds, seed, asha, hyperband } = tune;
  return {
    ...{ trials, parallel, seed, asha, hyperband, seconds: seconds ?? 0 },
    space: spaceMessage as TuneMessage['space'],
    method: methodNames[method],
    objective: metricNames[objective],
    stopEarly: stopNames[stopEarly],
  };
}

function toTuningMessage(tuning: TuningJob, trials: readonly Trial[]): TuningMessage {
  const past = trials.map((trial) => toPastTrial(trial, tuning.tune.objective));
  const ranked = rank(past).map(({ number }) => trials[number]!);
  const best = bestTrial(trials, tuning.tune.objective);
  return {
    name: tuningName.format({ tuning: tuning.id }),
    spec: tuning.spec as TrainingSpec,
    tune: toTuneMessage(tuning.tune),
    state: stateNames[tuning.state],
    trials: ranked.map((trial) => toTrialMessage(newsOf(trial))),
    bestTrial: best ? toTrialMessage(newsOf(best)) : null,
    trialCount: trials.length,
    endedTrialCount: trials.filter(({ state }) => isTrialEnd(state)).length,
    latestSequence: tuning.latestSequence,
    createTime: toTimestamp(tuning.createTimeMs),
    pauseTime: tuning.pauseTimeMs === null ? null : toTimestamp(tuning.pauseTimeMs),
    endTime: tuning.endTimeMs === null ? null : toTimestamp(tuning.endTimeMs),
    error: toStatus(tuning.error),
    trainingJob: tuning.jobId === null ? '' : jobName.format({ job: tuning.jobId }),
    modelVersion: tuning.modelVersion ?? '',
    owner: tuning.owner,
    priority: tuning.priority,
    labels: tuning.labels,
  };
}

function toTrialMessage({ number, values, state, objective, epochsDone, jobId, endReason }: TrialNews): TrialMessage {
  return {
    number: number + 1,
    values: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, toScalar(value)])),
    state: trialStateNames[state],
    objective: objective ?? undefined,
    epochsDone,
    trainingJob: jobId === null ? '' : jobName.format({ job: jobId }),
    endReason: endReason ?? '',
  };
}

function toStatus(error: JobError | null | undefined) {
  return error ? { code: grpc.status[error.code], message: error.message } : null;
}

function toEventMessage({ sequence, timeMs, happening }: KeptTuningEvent): EventMessage {
  const numbered = { sequence, time: toTimestamp(timeMs) };
  if (happening.kind === 'trial') {
    return { ...numbered, trial: toTrialMessage(happening.trial) };
  }
  const { state, error, jobId, modelVersion } = happening;
  const trainingJob = jobId === undefined ? '' : jobName.format({ job: jobId });
  return { ...numbered, stateChange: { state: stateNames[state], error: toStatus(error), trainingJob, modelVersion } };
}
