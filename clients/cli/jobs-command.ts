import type { StateChange__Output as StateChange } from '../../proto/gen/millrace/v1/StateChange.js';
import type { TrainingJob__Output as TrainingJob } from '../../proto/gen/millrace/v1/TrainingJob.js';
import type { TrainingSpec } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import { fromTimestamp } from '../../proto/index.js';
import {
  type FollowOptions,
  type Millrace,
  NotServedError,
  pages,
  RpcError,
  readTrainingSpec,
  trainingFields,
} from '../sdk/index.js';
import { CommandError, type CommonOptions, show, table, toJson } from './output.js';
import { eventLine, ProgressBar, stateWord } from './progress-bar.js';
import { fullName, idOf } from './resource-name.js';
import { specText } from './spec-file.js';
import { planLines } from './training-plan.js';

interface WatchOptions {
  after: number;
  fromNow?: boolean;
  /** Most step events of a second. */
  steps: number;
  filter: string;
}

interface TrainOptions {
  file: string;
  explain?: boolean;
  follow?: boolean;
  requestId?: string;
  owner: string;
  priority: number;
  label: Record<string, string>;
}

export async function train(millrace: Millrace, options: CommonOptions & TrainOptions): Promise<void> {
  const source = await specText(options.file);
  const explain = (spec: TrainingSpec) => millrace.training.explainTrainingSpec({ spec });
  const spec = await source.reading(trainingFields, () => readTrainingSpec(source), explain);
  if (options.explain) {
    const plan = await source.telling(trainingFields, () => explain(spec));
    show(options, plan, planLines(plan));
    return;
  }
  const { requestId, owner, priority, label: labels } = options;
  const request = { spec, requestId, owner, priority, labels };
  const job = await source.telling(trainingFields, () => millrace.training.createTrainingJob(request));
  if (options.follow) {
    if (!options.json) {
      process.stdout.write(`${job.name}\n`);
    }
    const version = await followToEnd(millrace, job, options);
    if (version !== null) {
      await waitUntilServed(millrace, version);
      sayNext(version, options);
    }
  } else {
    show(options, job, [job.name], `millrace jobs watch ${idOf(job.name)}`);
  }
}

export async function jobsList(
  millrace: Millrace,
  options: CommonOptions & { filter: string; orderBy: string },
): Promise<void> {
  const { filter, orderBy } = options;
  const jobs: TrainingJob[] = [];
  for await (const page of pages((pageToken) => millrace.training.listTrainingJobs({ filter, orderBy, pageToken }))) {
    jobs.push(...page.trainingJobs);
  }
  const rows = jobs.map((job) => [
    idOf(job.name),
    stateWord(job.state),
    job.spec?.epochs ? `${job.epochsDone}/${job.spec.epochs}` : `${job.epochsDone}`,
    job.modelVersion || job.spec?.publish?.model || '',
    job.owner,
    String(job.priority),
    job.createTime ? new Date(fromTimestamp(job.createTime)).toISOString() : '',
  ]);
  show(
    options,
    jobs,
    table([['JOB', 'STATE', 'EPOCHS', 'MODEL', 'OWNER', 'PRIORITY', 'CREATED'], ...rows]),
    'millrace jobs watch JOB',
  );
}

export async function jobsWatch(
  millrace: Millrace,
  id: string | undefined,
  options: CommonOptions & WatchOptions,
): Promise<void> {
  if (id === undefined) {
    await followAll(millrace, options);
    return;
  }
  if (options.filter) {
    throw new CommandError('--filter is for watching all jobs: leave out JOB, or --filter.');
  }
  const job = await millrace.training.getTrainingJob({ name: fullName('trainingJobs', id) });
  const version = await followToEnd(millrace, job, options);
  if (version !== null) {
    sayNext(version, options);
  }
}

export async function jobsCancel(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const job = await millrace.training.cancelTrainingJob({ name: fullName('trainingJobs', id) });
  if (job.state === 'STATE_CANCELLED') {
    show(options, job, [`${job.name} is cancelled`]);
  } else {
    const line = `${job.name} is ${stateWord(job.state)} and will stop within a step`;
    show(options, job, [line], `millrace jobs watch ${idOf(job.name)}`);
  }
}

export async function jobsPause(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const job = await millrace.training.pauseTrainingJob({ name: fullName('trainingJobs', id) });
  const words = job.state === 'STATE_PAUSED' ? 'is paused' : `is ${stateWord(job.state)} and will pause within a step`;
  show(options, job, [`${job.name} ${words}`], `millrace jobs resume ${idOf(job.name)}`);
}

export async function jobsResume(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const job = await millrace.training.resumeTrainingJob({ name: fullName('trainingJobs', id) });
  show(options, job, [`${job.name} is ${stateWord(job.state)}`], `millrace jobs watch ${idOf(job.name)}`);
}

export async function jobsDelete(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const name = fullName('trainingJobs', id);
  await millrace.training.deleteTrainingJob({ name });
  show(options, { name }, [`${name} is deleted`]);
}

/** Shows the events of all jobs until the command is ended: a line for each but those of steps, or one JSON object an event. */
async function followAll(millrace: Millrace, options: CommonOptions & WatchOptions): Promise<void> {
  for await (const message of millrace.followTrainingJobs(options.filter, followOptions(options))) {
    const line = options.json ? toJson(message) : message.event && eventLine(message.event);
    if (line !== null) {
      process.stdout.write(options.json ? `${line}\n` : `${idOf(message.trainingJob)}  ${line}\n`);
    }
  }
}

function followOptions({ after, fromNow, steps }: Partial<WatchOptions>): FollowOptions {
  return { after, fromNow, stepEventsPerSecondMax: steps };
}

/** Whoever asks the model next is to be answered by this version. The job has succeeded, whatever comes of that. */
async function waitUntilServed(millrace: Millrace, version: string): Promise<void> {
  try {
    await millrace.untilServed(version);
  } catch (error) {
    if (!(error instanceof NotServedError) && !(error instanceof RpcError)) {
      throw error;
    }
    process.stderr.write(`${version} is published, but is not served yet: ${error.message}.\n`);
  }
}

function sayNext(version: string, { json }: CommonOptions): void {
  if (!json) {
    const [, model, , number] = version.split('/');
    process.stdout.write(
      `Next: millrace models describe ${model}, or promote it: millrace models promote ${model} ${number} champion\n`,
    );
  }
}

/**
 * Shows a job's events to its end: a bar for people, or one JSON object an event. A job that fails fails the command.
 * @returns the version that it published; null: none of the events said so
 */
async function followToEnd(
  millrace: Millrace,
  job: TrainingJob,
  options: CommonOptions & Partial<WatchOptions>,
): Promise<string | null> {
  const bar = new ProgressBar(process.stdout, job.spec?.epochs ?? 0);
  /** Why the job has ended without success, unless it goes on. */
  let failure: string | null = null;
  let version: string | null = null;
  for await (const event of millrace.followTrainingJob(job.name, followOptions(options))) {
    if (options.json) {
      process.stdout.write(`${toJson(event)}\n`);
    } else {
      bar.show(event);
    }
    const change = event.stateChange;
    if (change) {
      failure = failureOf(job.name, change);
    }
    version = change?.modelVersion || version;
  }
  if (failure !== null) {
    throw new CommandError(failure);
  }
  return version;
}

function failureOf(name: string, { state, error }: StateChange): string | null {
  if (state === 'STATE_FAILED') {
    const { message = '' } = error ?? {};
    return `${name} failed: ${message} Have it go on from its last checkpoint: millrace jobs resume ${idOf(name)}`;
  }
  return state === 'STATE_CANCELLED' ? `${name} was cancelled.` : null;
}
