import type { TuningJob__Output as TuningJob } from '../../proto/gen/millrace/v1/TuningJob.js';
import { fromTimestamp } from '../../proto/index.js';
import { type Millrace, pages, readTuningSpec, trainingFields } from '../sdk/index.js';
import { Leaderboard, trialTable } from './leaderboard.js';
import { CommandError, type CommonOptions, show, table, toJson } from './output.js';
import { stateWord } from './progress-bar.js';
import { fullName, idOf } from './resource-name.js';
import { specText } from './spec-file.js';

export interface TuneOptions {
  file: string;
  follow?: boolean;
  requestId?: string;
  owner: string;
  priority: number;
  label: Record<string, string>;
}

export async function tune(millrace: Millrace, options: CommonOptions & TuneOptions): Promise<void> {
  const { requestId, owner, priority, label: labels } = options;
  const source = await specText(options.file);
  const request = { ...readTuningSpec(source), requestId, owner, priority, labels };
  const tuning = await source.telling(trainingFields, () => millrace.tuning.createTuningJob(request));
  if (options.follow) {
    if (!options.json) {
      process.stdout.write(`${tuning.name}\n`);
    }
    await followTuning(millrace, tuning, options);
  } else {
    show(options, tuning, [tuning.name], `millrace tunings watch ${idOf(tuning.name)}`);
  }
}

export async function tuningsList(millrace: Millrace, options: CommonOptions): Promise<void> {
  const tunings: TuningJob[] = [];
  for await (const page of pages((pageToken) => millrace.tuning.listTuningJobs({ pageToken }))) {
    tunings.push(...page.tuningJobs);
  }
  const rows = tunings.map(({ name, state, spec, tune, ...tuning }) => [
    idOf(name),
    stateWord(state),
    `${tuning.endedTrialCount}/${tune?.trials ?? 0}`,
    tuning.bestTrial?.objective?.toPrecision(5) ?? '',
    tuning.modelVersion || spec?.publish?.model || '',
    tuning.owner,
    tuning.createTime ? new Date(fromTimestamp(tuning.createTime)).toISOString() : '',
  ]);
  const heading = ['TUNING', 'STATE', 'TRIALS', 'BEST', 'MODEL', 'OWNER', 'CREATED'];
  show(options, tunings, table([heading, ...rows]), 'millrace tunings describe TUNING');
}

export async function tuningsDescribe(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const tuning = await millrace.tuning.getTuningJob({ name: fullName('tuningJobs', id) });
  const { name, state, error, trainingJob, modelVersion, trials } = tuning;
  const head = [name, stateWord(state), trainingJob, modelVersion, error?.message].filter(Boolean).join('  ');
  show(options, tuning, [head, ...trialTable(trials)]);
}

export async function tuningsWatch(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const tuning = await millrace.tuning.getTuningJob({ name: fullName('tuningJobs', id) });
  await followTuning(millrace, tuning, options);
}

export async function tuningsCancel(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const tuning = await millrace.tuning.cancelTuningJob({ name: fullName('tuningJobs', id) });
  show(options, tuning, [`${tuning.name} ends, and its trials stop within a step`]);
}

export async function tuningsPause(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const tuning = await millrace.tuning.pauseTuningJob({ name: fullName('tuningJobs', id) });
  const line = `${tuning.name} is ${stateWord(tuning.state)} and will pause with its trials, within a step`;
  show(options, tuning, [line], `millrace tunings resume ${idOf(tuning.name)}`);
}

export async function tuningsResume(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const tuning = await millrace.tuning.resumeTuningJob({ name: fullName('tuningJobs', id) });
  show(options, tuning, [`${tuning.name} goes on`], `millrace tunings watch ${idOf(tuning.name)}`);
}

export async function tuningsDelete(millrace: Millrace, id: string, options: CommonOptions): Promise<void> {
  const name = fullName('tuningJobs', id);
  await millrace.tuning.deleteTuningJob({ name });
  show(options, { name }, [`${name} is deleted`]);
}

/** Shows a tuning to its end: a leaderboard for people, or one JSON object an event. One that fails fails the command. */
export async function followTuning(millrace: Millrace, tuning: TuningJob, options: CommonOptions): Promise<void> {
  const isSmallerBetter = /(LOSS|BRIER_SCORE|RMSE|MAE|ERROR)$/.test(tuning.tune?.objective ?? '');
  const board = new Leaderboard(process.stdout, !isSmallerBetter);
  for await (const event of millrace.followTuningJob(tuning.name)) {
    if (options.json) {
      process.stdout.write(`${toJson(event)}\n`);
    } else {
      board.show(event);
    }
    const change = event.stateChange;
    if (change?.state === 'STATE_FAILED') {
      throw new CommandError(`${tuning.name} failed: ${change.error?.message ?? ''}`);
    }
    if (change?.state === 'STATE_CANCELLED') {
      throw new CommandError(`${tuning.name} was cancelled.`);
    }
    if (change?.state === 'STATE_SUCCEEDED' && !options.json) {
      const [, model] = change.modelVersion.split('/');
      process.stdout.write(
        `Next: millrace tunings describe ${idOf(tuning.name)}, or millrace models report ${model}\n`,
      );
    }
  }
}
