import { ServiceError } from '../platform/errors.js';
import type { TrainingJob } from './job.js';
import { isEndState } from './job-state.js';

/** What a caller may ask of a job. */
type Wish = 'cancelled' | 'paused' | 'resumed' | 'deleted';

/** Of a job that publishes, the registry may have the version already: cancelling could no longer undo it. */
export function refuseCancel(job: TrainingJob): void {
  refuseEnded(job, 'cancelled');
  refusePublishing(job, 'cancelled');
}

export function refusePause(job: TrainingJob): void {
  refuseEnded(job, 'paused');
  refusePublishing(job, 'paused');
  if (job.state === 'paused') {
    throw refusal(job, 'paused', 'JOB_PAUSED', 'it is paused already.');
  }
}

export function refuseResume(job: TrainingJob): void {
  if (job.state === 'failed') {
    return;
  }
  refuseEnded(job, 'resumed');
  if (job.state !== 'paused' && !job.pauseRequested) {
    throw refusal(job, 'resumed', 'JOB_NOT_PAUSED', `it is ${job.state}, neither paused nor failed.`);
  }
}

export function refuseDelete(job: TrainingJob): void {
  if (!isEndState(job.state)) {
    throw refusal(job, 'deleted', 'JOB_NOT_ENDED', `it is ${job.state}. Cancel it first, or wait for its end.`);
  }
}

function refuseEnded(job: TrainingJob, wish: Wish): void {
  if (isEndState(job.state)) {
    const end = job.state === 'cancelled' ? `been cancelled${wish === 'cancelled' ? ' already' : ''}` : job.state;
    throw refusal(job, wish, 'JOB_ENDED', `it has ${end}.`);
  }
}

export function refusePublishing(job: TrainingJob, wish: Wish): void {
  if (job.state === 'publishing') {
    const doing = `it is publishing its version of ${job.spec.publish.model}, and ends once the registry has answered.`;
    throw refusal(job, wish, 'JOB_PUBLISHING', doing);
  }
}

function refusal({ id }: TrainingJob, wish: Wish, reason: string, why: string): ServiceError {
  return new ServiceError('FAILED_PRECONDITION', reason, `The job trainingJobs/${id} cannot be ${wish}: ${why}`);
}
