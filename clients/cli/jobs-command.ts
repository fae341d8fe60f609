import { readFile } from 'node:fs/promises';
import type { TrainingJob__Output as TrainingJob } from '../../proto/gen/millrace/v1/TrainingJob.js';
import { fromTimestamp } from '../../proto/index.js';
import { type Millrace, pages, readTrainingSpec } from '../sdk/index.js';
import { CommandError, type CommonOptions, show, table, toJson } from './output.js';
import { ProgressBar, stateWord } from './progress-bar.js';
import { fullName, idOf } from './resource-name.js';

interface TrainOptions {
  file: string;
  follow?: boolean;
  requestId?: string;
  owner: string;
  priority: number;
  label: Record<string, string>;
}

export async function train(millrace: Millrace, options: CommonOptions & TrainOptions): Promise<void> {
  const spec = readTrainingSpec(await readFile(options.file, 'utf8'));
  const { requestId, owner, priority, label: labels } = options;
  const job = await millrace.training.createTrainingJob({ spec, requestId, owner, priority, labels });
  if (options.follow) {
    if (!options.json) {
      process.stdout.write(`${job.name}\n`);
    }
    await followToEnd(millrace, job, 0, options);
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
    `${job.epochsDone}/${job.spec?.epochs ?? 0}`,
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
  id: string,
  options: CommonOptions & { after: number },
): Promise<void> {
  const job = await millrace.training.getTrainingJob({ name: fullName('trainingJobs', id) });
  await followToEnd(millrace, job, options.after, options);
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

/** Shows a job's events to its end: a bar for people, or one JSON object an event. A job that fails fails the command. */
async function followToEnd(millrace: Millrace, job: TrainingJob, after: number, options: CommonOptions): Promise<void> {
  const bar = new ProgressBar(process.stdout, job.spec?.epochs ?? 0);
  for await (const event of millrace.followTrainingJob(job.name, after)) {
    if (options.json) {
      process.stdout.write(`${toJson(event)}\n`);
    } else {
      bar.show(event);
    }
    const change = event.stateChange;
    if (change?.state === 'STATE_FAILED') {
      throw new CommandError(`${job.name} failed: ${change.error?.message ?? ''}`);
    }
    if (change?.state === 'STATE_CANCELLED') {
      throw new CommandError(`${job.name} was cancelled.`);
    }
    if (change?.state === 'STATE_SUCCEEDED' && !options.json) {
      const [, model, , version] = change.modelVersion.split('/');
      process.stdout.write(
        `Next: millrace models describe ${model}, or promote it: millrace models promote ${model} ${version} champion\n`,
      );
    }
  }
}
