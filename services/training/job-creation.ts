import { randomInt } from 'node:crypto';
import { RpcError } from '../../proto/index.js';
import { digestOf } from '../platform/blob-store.js';
import { ServiceError, Violations } from '../platform/errors.js';
import type { TrainingJob } from './job.js';
import type { JobStore } from './job-store.js';
import { isTransient } from './retry.js';
import { checkAgainstPipeline, checkSpec } from './spec-check.js';
import { resolveSpec } from './spec-resolution.js';
import { planTraining, type TrainingPlan } from './training-plan.js';
import type { FitRequest, FittedPipeline, SpecDraft, TrainingSpec } from './training-spec.js';

/** What creating a job needs of preprocessing. */
export interface PipelineFitter {
  fit(dataset: string, request: FitRequest, signal: AbortSignal): Promise<FittedPipeline>;
}

export interface SpecDependencies {
  preprocessing: PipelineFitter;
  /** Memory that a network and its optimizer may take, bytes. */
  memoryBytes: number;
}

export interface JobCreationDependencies extends SpecDependencies {
  store: JobStore;
}

/** Where a job stands in the queue, what it is found by, and how much is kept of it. */
export interface Placing {
  owner: string;
  priority: number;
  labels: Record<string, string>;
  /** Most step events that are kept of a second. */
  stepEventsPerSecond: number;
}

/** What is asked for beside the spec. */
export interface JobRequest extends Placing {
  /** Null: each call makes a job. */
  requestId: string | null;
  /** Of a tuning. Default: no. */
  isTrial?: boolean;
}

const textLengthMax = 100;
const priorityMax = 1_000;
const stepEventsMax = 100;
const labelsMax = 32;
const labelPattern = /^[a-z][a-z0-9_-]{0,62}$/;
const labelRule = '1 to 63 of a-z, 0-9, - and _, starting with a letter';
const newIdCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const newIdLength = 8;
const modelLengthMax = 50;

/**
 * Checks a spec, against its dataset too, and queues a job. The pipeline is fitted here already, so that a column, a label or
 * a network that does not fit is refused now and not after a wait in the queue.
 */
export async function createJob(
  { store, preprocessing, memoryBytes }: JobCreationDependencies,
  given: SpecDraft,
  request: JobRequest,
  signal: AbortSignal,
): Promise<TrainingJob> {
  // Trials are compared by their validation; the training after them has the curve.
  const draft = request.isTrial ? { ...given, learningCurve: null } : given;
  const violations = new Violations();
  checkSpec(draft, violations);
  checkRequest(request, violations);
  const { requestId, isTrial = false, ...placing } = request;
  if (violations.isEmpty) {
    const made = await store.findRequested(requestId, requestDigest(draft, placing));
    if (made) {
      return made;
    }
  }
  const { spec, pipeline } = await resolveOnDataset({ preprocessing, memoryBytes }, draft, violations, signal);
  const { featureNames: _, ...kept } = pipeline;
  return store.create({
    id: newId(spec.publish.model),
    requestId,
    requestDigest: requestDigest(draft, placing),
    ...placing,
    isTrial,
    spec,
    pipeline: kept,
  });
}

/** What a job of this spec would train; makes none. */
export async function explainSpec(
  dependencies: SpecDependencies,
  draft: SpecDraft,
  signal: AbortSignal,
): Promise<TrainingPlan> {
  const violations = new Violations();
  checkSpec(draft, violations);
  const { spec, pipeline } = await resolveOnDataset(dependencies, draft, violations, signal);
  return planTraining(spec, pipeline);
}

/** Throws all violations at once: those that were noted before, and what the dataset shows. */
async function resolveOnDataset(
  { preprocessing, memoryBytes }: SpecDependencies,
  draft: SpecDraft,
  violations: Violations,
  signal: AbortSignal,
): Promise<{ spec: TrainingSpec; pipeline: FittedPipeline }> {
  const pipeline = await fit(preprocessing, draft, violations, signal);
  if (pipeline) {
    checkAgainstPipeline(draft, pipeline, memoryBytes, violations);
  }
  violations.throwIfAny();
  return { spec: resolveSpec(draft, pipeline!), pipeline: pipeline! };
}

export function checkRequest(
  { requestId, owner, priority, labels, stepEventsPerSecond }: JobRequest,
  violations: Violations,
): void {
  const text = `at most ${textLengthMax} characters`;
  violations.check((requestId?.length ?? 0) <= textLengthMax, 'request_id', text, requestId);
  violations.check(owner.length <= textLengthMax, 'owner', text, owner);
  const range = `from ${-priorityMax} to ${priorityMax}`;
  violations.check(Math.abs(priority) <= priorityMax, 'priority', range, priority);
  const isRate = stepEventsPerSecond >= 1 && stepEventsPerSecond <= stepEventsMax;
  violations.check(isRate, 'step_events_per_second', `from 1 to ${stepEventsMax}`, stepEventsPerSecond);
  const names = Object.keys(labels);
  violations.check(names.length <= labelsMax, 'labels', `at most ${labelsMax} names`, names.length);
  for (const name of names.slice(0, labelsMax)) {
    const isName = violations.check(labelPattern.test(name), 'labels', `named by ${labelRule}`, name);
    violations.check(!isName || labels[name]!.length <= textLengthMax, `labels.${name}`, text, labels[name]);
  }
}

/** Of the request as it came: what it is resolved to may change with the dataset's latest version. */
function requestDigest(draft: SpecDraft, placing: Placing): string {
  const labels = Object.entries(placing.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return digestOf(JSON.stringify([draft, { ...placing, labels }]));
}

/** Says which model it is for; the rest keeps it apart from every other job, of other data folders too. */
export function newId(model: string): string {
  const name = model.slice('models/'.length).slice(0, modelLengthMax);
  const suffix = Array.from({ length: newIdLength }, () => newIdCharacters[randomInt(newIdCharacters.length)]);
  return `${name}-${suffix.join('')}`;
}

/** The fitted pipeline, or null with what preprocessing found wrong noted under this request's field names. */
export async function fit(
  preprocessing: PipelineFitter,
  { dataset, pipeline, split, sampleWeight = '' }: SpecDraft,
  violations: Violations,
  signal: AbortSignal,
): Promise<FittedPipeline | null> {
  if (!pipeline || violations.has('spec.dataset')) {
    return null;
  }
  try {
    return await preprocessing.fit(dataset, { pipeline, split, sampleWeight, part: null }, signal);
  } catch (error) {
    if (error instanceof RpcError && error.code === 'INVALID_ARGUMENT') {
      noteViolations(error, violations);
      return null;
    }
    if (error instanceof RpcError && error.code === 'NOT_FOUND') {
      violations.add('spec.dataset', error.message);
      return null;
    }
    violations.throwIfAny();
    if (isTransient(error)) {
      const message = `The preprocessing service, which checks the spec against the dataset, does not answer: ${(error as Error).message}. Try again once it runs.`;
      throw new ServiceError('UNAVAILABLE', 'PREPROCESSING_UNAVAILABLE', message, { cause: error });
    }
    throw error;
  }
}

function noteViolations(error: RpcError, violations: Violations): void {
  const { fieldViolations } = error.details;
  if (fieldViolations.length === 0) {
    violations.add('spec.pipeline', error.message);
  }
  for (const { field, description } of fieldViolations) {
    const inOurNames = description.replace(
      /`((?:spec|split|dataset|sample_weight)\b[^`]*)`/g,
      (_, named: string) => `\`${translateField(named)}\``,
    );
    violations.add(translateField(field), inOurNames);
  }
}

/** A field of FitPipelineRequest as it is called in CreateTrainingJobRequest. */
function translateField(field: string): string {
  return field.replace(/^spec(?=$|\.)/, 'pipeline').replace(/^/, 'spec.');
}
