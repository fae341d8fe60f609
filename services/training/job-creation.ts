import { randomInt } from 'node:crypto';
import { RpcError } from '../../proto/index.js';
import { digestOf } from '../platform/blob-store.js';
import { ServiceError, Violations } from '../platform/errors.js';
import type { TrainingJob } from './job.js';
import type { JobStore } from './job-store.js';
import { isTransient } from './retry.js';
import { checkAgainstPipeline, checkSpec } from './spec-check.js';
import {
  type FittedPipeline,
  type PipelineRequest,
  resolveSpec,
  type SpecDraft,
  type SplitRequest,
  type TrainingSpec,
} from './training-spec.js';

/** What creating a job needs of preprocessing. */
export interface PipelineFitter {
  fit(
    dataset: string,
    pipeline: PipelineRequest,
    split: SplitRequest | null,
    signal: AbortSignal,
  ): Promise<FittedPipeline>;
}

export interface JobCreationDependencies {
  store: JobStore;
  preprocessing: PipelineFitter;
  /** Memory that a network and its optimizer may take, bytes. */
  memoryBytes: number;
}

const requestIdLengthMax = 100;
const newIdCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const newIdLength = 8;
const modelLengthMax = 50;

/**
 * Checks a spec, against its dataset too, and queues a job. The pipeline is fitted here already, so that a column, a label or
 * a network that does not fit is refused now and not after a wait in the queue.
 */
export async function createJob(
  { store, preprocessing, memoryBytes }: JobCreationDependencies,
  draft: SpecDraft,
  requestId: string | null,
  signal: AbortSignal,
): Promise<TrainingJob> {
  const violations = new Violations();
  checkSpec(draft, violations);
  const idLength = requestId?.length ?? 1;
  violations.check(idLength <= requestIdLengthMax, 'request_id', `at most ${requestIdLengthMax} characters`, requestId);
  if (violations.isEmpty) {
    const made = await store.findRequested(requestId, requestDigest(resolveSpec(draft)));
    if (made) {
      return made;
    }
  }
  const pipeline = await fit(preprocessing, draft, violations, signal);
  if (pipeline) {
    checkAgainstPipeline(draft, pipeline, memoryBytes, violations);
  }
  violations.throwIfAny();
  const asked = resolveSpec(draft);
  return store.create({
    id: newId(asked.publish.model),
    requestId,
    requestDigest: requestDigest(asked),
    spec: { ...asked, dataset: pipeline!.datasetVersion },
    pipeline: pipeline!,
  });
}

function requestDigest(asked: TrainingSpec): string {
  return digestOf(JSON.stringify(asked));
}

/** Says which model it is for; the rest keeps it apart from every other job, of other data folders too. */
function newId(model: string): string {
  const name = model.slice('models/'.length).slice(0, modelLengthMax);
  const suffix = Array.from({ length: newIdLength }, () => newIdCharacters[randomInt(newIdCharacters.length)]);
  return `${name}-${suffix.join('')}`;
}

/** The fitted pipeline, or null with what preprocessing found wrong noted under this request's field names. */
async function fit(
  preprocessing: PipelineFitter,
  { dataset, pipeline, split }: SpecDraft,
  violations: Violations,
  signal: AbortSignal,
): Promise<FittedPipeline | null> {
  if (!pipeline || violations.has('spec.dataset')) {
    return null;
  }
  try {
    return await preprocessing.fit(dataset, pipeline, split, signal);
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
      /`((?:spec|split|dataset)[^`]*)`/g,
      (_, named: string) => `\`${translateField(named)}\``,
    );
    violations.add(translateField(field), inOurNames);
  }
}

/** A field of FitPipelineRequest as it is called in CreateTrainingJobRequest. */
function translateField(field: string): string {
  return field.replace(/^spec(?=$|\.)/, 'pipeline').replace(/^/, 'spec.');
}
