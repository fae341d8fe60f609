import { type Command, InvalidArgumentError, Option } from 'commander';
import { connected, parseInteger, withMillrace } from './connected.js';

const loadAuto = () => import('../auto-command.js');
const loadJobs = () => import('../jobs-command.js');
const loadTunings = () => import('../tunings-command.js');

/** Training, tuning and their jobs. */
export function addTrainingCommands(program: Command): void {
  placed(connected(program, 'train', 'train a network'))
    .requiredOption('-f, --file <spec>', 'training spec, YAML or JSON')
    .addOption(
      new Option('--explain', 'print the spec with all its defaults, and what it comes to; train nothing').conflicts(
        'follow',
      ),
    )
    .option('--follow', 'show progress until the job ends')
    .addOption(
      new Option(
        '--auto',
        'choose what the spec leaves open by its data - network, optimizer, schedule, batch size - and search it',
      ).conflicts('explain'),
    )
    .addOption(
      new Option('--time <duration>', 'of --auto, as 90s, 5m or 2h').default(300, '5m').argParser(parseSeconds),
    )
    .action((options) =>
      options.auto
        ? withMillrace(loadAuto, options, ({ trainAuto }, millrace) => trainAuto(millrace, options))
        : withMillrace(loadJobs, options, ({ train }, millrace) => train(millrace, options)),
    );

  placed(connected(program, 'tune', 'search the values of a training spec that do best, and publish the best model'))
    .requiredOption('-f, --file <spec>', 'training spec with what is searched under `tune`, YAML or JSON')
    .option('--follow', 'show the leaderboard until the tuning ends')
    .action((options) => withMillrace(loadTunings, options, ({ tune }, millrace) => tune(millrace, options)));

  const tunings = program.command('tunings').description('searches of training specs');
  connected(tunings, 'list', 'list tunings, newest first').action((options) =>
    withMillrace(loadTunings, options, ({ tuningsList }, millrace) => tuningsList(millrace, options)),
  );
  const tuningCommands = {
    describe: ['a tuning with all its trials, the best first', 'tuningsDescribe'],
    watch: ['follow the leaderboard of a tuning to its end', 'tuningsWatch'],
    pause: ['stop a tuning and its trials where they stand, to go on later', 'tuningsPause'],
    resume: ['have a tuning that is paused go on where it stopped', 'tuningsResume'],
    cancel: ['end a tuning; nothing is published', 'tuningsCancel'],
    delete: ['remove a tuning that has ended, with its trials and their jobs', 'tuningsDelete'],
  } as const;
  for (const [name, [description, action]] of Object.entries(tuningCommands)) {
    connected(tunings, `${name} <tuning>`, description).action((tuning, options) =>
      withMillrace(loadTunings, options, (module, millrace) => module[action](millrace, tuning, options)),
    );
  }

  const jobs = program.command('jobs').description('training jobs');
  connected(jobs, 'list', 'list jobs, newest first')
    .option('--filter <filter>', 'as: state = QUEUED OR state = TRAINING AND owner = ann AND labels.team = vision', '')
    .option('--order-by <fields>', 'as: priority desc, create_time', '')
    .action((options) => withMillrace(loadJobs, options, ({ jobsList }, millrace) => jobsList(millrace, options)));
  connected(jobs, 'watch [job]', "follow a job's events to its end, or without JOB those of all jobs")
    .addOption(
      new Option('--after <number>', 'leave out events up to this sequence, or position of all jobs')
        .default(0)
        .argParser((text) => parseInteger(text, 0, Number.MAX_SAFE_INTEGER)),
    )
    .addOption(new Option('--from-now', 'leave out what has been').conflicts('after'))
    .addOption(
      new Option('--steps <n>', 'most step events of a second; 0: all')
        .default(0)
        .argParser((text) => parseInteger(text, 0, 1_000)),
    )
    .option('--filter <filter>', 'of all jobs, as: owner = ann AND labels.team = vision', '')
    .action((job, options) =>
      withMillrace(loadJobs, options, ({ jobsWatch }, millrace) => jobsWatch(millrace, job, options)),
    );
  connected(jobs, 'pause <job>', 'stop a job where it stands, to go on later').action((job, options) =>
    withMillrace(loadJobs, options, ({ jobsPause }, millrace) => jobsPause(millrace, job, options)),
  );
  connected(jobs, 'resume <job>', 'have a job that is paused, or has failed, go on where it stopped').action(
    (job, options) => withMillrace(loadJobs, options, ({ jobsResume }, millrace) => jobsResume(millrace, job, options)),
  );
  connected(jobs, 'delete <job>', 'remove a job that has ended, with its events').action((job, options) =>
    withMillrace(loadJobs, options, ({ jobsDelete }, millrace) => jobsDelete(millrace, job, options)),
  );
  connected(jobs, 'cancel <job>', 'end a job').action((job, options) =>
    withMillrace(loadJobs, options, ({ jobsCancel }, millrace) => jobsCancel(millrace, job, options)),
  );
}

/** A command that makes jobs: where they stand in the queue, and what they are found by. */
function placed(command: Command): Command {
  return command
    .option('--request-id <id>', 'makes the command safe to repeat')
    .option('--owner <name>', 'whose job it is: owners take turns', '')
    .addOption(
      new Option('--priority <n>', 'of the queue: higher goes first')
        .default(0)
        .argParser((text) => parseInteger(text, -1_000, 1_000)),
    )
    .addOption(
      new Option('--label <name=text>', 'to find the job by; may be given again')
        .argParser(collectLabel)
        .default({}, 'none'),
    );
}

/** Seconds of `90s`, `5m` or `2h`. */
function parseSeconds(text: string): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(s|m|h)$/.exec(text) ?? [];
  const seconds = Number(number) * { s: 1, m: 60, h: 3_600 }[unit as 's' | 'm' | 'h'];
  if (!(seconds > 0)) {
    throw new InvalidArgumentError('Expected a time like 90s, 5m or 2h.');
  }
  return seconds;
}

function collectLabel(text: string, before: Record<string, string>): Record<string, string> {
  const end = text.indexOf('=');
  if (end < 1) {
    throw new InvalidArgumentError('Expected NAME=TEXT.');
  }
  return { ...before, [text.slice(0, end)]: text.slice(end + 1) };
}
