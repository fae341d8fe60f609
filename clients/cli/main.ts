#!/usr/bin/env node
import { createRequire } from 'node:module';
import { Command, InvalidArgumentError, Option } from 'commander';
import type { Millrace } from '../sdk/index.js';
import { collectType, importFormatNames } from './import-format.js';
import type { CommonOptions } from './output.js';
import { type Program, runProgram, serviceNames } from './process.js';

const { version } = createRequire(import.meta.url)('#package') as { version: string };
const program: Command = new Command('millrace');
program
  .description('Prepare data, train dense networks, version them and serve them over gRPC.')
  .version(version)
  .showHelpAfterError('(millrace --help lists the commands)');

const portBaseOption = () =>
  new Option('--port-base <n>', "first port of the mesh's block")
    .env('MILLRACE_PORT_BASE')
    .default(8000)
    .argParser((text) => parseInteger(text, 1, 65_530));

/** A command that talks to a running mesh. */
function connected(parent: Command, nameAndArguments: string, description: string): Command {
  return parent
    .command(nameAndArguments)
    .description(description)
    .addOption(new Option('--host <address>', 'where the mesh is').default('127.0.0.1'))
    .addOption(portBaseOption())
    .option('--json', 'print JSON for scripts');
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

/** Where commands are. They are loaded when called: `millrace up` need not wait for gRPC. */
const commands = {
  auto: () => import('./auto-command.js'),
  data: () => import('./data-command.js'),
  deploy: () => import('./deploy-command.js'),
  jobs: () => import('./jobs-command.js'),
  models: () => import('./models-command.js'),
  report: () => import('./model-report.js'),
  pipeline: () => import('./pipeline-command.js'),
  predict: () => import('./predict-command.js'),
  predictLines: () => import('./predict-lines-command.js'),
  predictions: () => import('./predictions-command.js'),
  tunings: () => import('./tunings-command.js'),
};

/** Runs a command with a client. */
async function withMillrace<Module>(
  load: () => Promise<Module>,
  options: CommonOptions,
  work: (module: Module, millrace: Millrace) => Promise<void>,
): Promise<void> {
  const [module, { Millrace }] = await Promise.all([load(), import('../sdk/index.js')]);
  const millrace = new Millrace(options);
  await guarded(options, () => work(module, millrace));
  millrace.close();
}

/** Turns what goes wrong into one clear message and exit status 1. */
async function guarded(options: CommonOptions, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const { explain } = await import('./output.js');
    process.stderr.write(`millrace: ${explain(error, options)}\n`);
    process.exitCode = 1;
  }
}

function parseInteger(text: string, minimum: number, maximum: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < minimum || value > maximum) {
    throw new InvalidArgumentError(`Expected an integer from ${minimum} to ${maximum}.`);
  }
  return value;
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

const int32Max = 2 ** 31 - 1;

function collectLabel(text: string, before: Record<string, string>): Record<string, string> {
  const end = text.indexOf('=');
  if (end < 1) {
    throw new InvalidArgumentError('Expected NAME=TEXT.');
  }
  return { ...before, [text.slice(0, end)]: text.slice(end + 1) };
}

function collect(text: string, before: string[] = []): string[] {
  return [...before, text];
}

function integerList(text: string): number[] {
  return text === 'none' ? [] : text.split(',').map((item) => parseInteger(item, 1, int32Max));
}

/** A command that hands all its arguments to another program of the mesh. */
function passedOn(
  nameAndArguments: string,
  description: string,
  programOf: (args: string[]) => [Program, string[]],
): Command {
  return program
    .command(nameAndArguments)
    .description(description)
    .allowUnknownOption()
    .action((...parameters) => runProgram(...programOf((parameters.at(-1) as Command).args)));
}

const settingsHelp = `
Settings, also from the environment (MILLRACE_DATA_DIR) or a YAML file (dataDir):
  --data-dir <folder>    where everything is kept (default: .millrace)
  --port-base <n>        first port of the mesh's block (default: 8000)
  --host <address>       address to listen on (default: 127.0.0.1)
  --insecure             allow another address than loopback, without encryption and login
  --log-level <level>    trace, debug, info, warn, error or silent (default: info)
  --stop-grace-ms <n>    time that calls in flight have at the end (default: 10000)
  --message-bytes-max <n>
                         largest message or HTTP body (default: 67108864)
  --config <file>        the YAML file`;

const importSettingsHelp = `
  --import-folders <folders>
                         where imports may read, as in PATH (default: all that the service itself may read)
  --import-hosts <hosts> hosts that imports may fetch from beside the public network, with commas
  --download-bytes-max <n>
                         largest file that an import fetches (default: 21474836480)
  --upload-bytes-max <n> largest upload (default: 21474836480)`;

passedOn('up [settings...]', 'start all services on this machine', (args) => ['supervisor', args]).addHelpText(
  'after',
  settingsHelp.replace(
    '  --log-level',
    '  --workers <n>          processes that answer predictions (default: the cores)\n  --jobs-at-once <n>     training jobs that share the cores (default: 1)\n  --log-level',
  ) + importSettingsHelp,
);
passedOn('serve [service] [settings...]', `run one service: ${serviceNames.join(', ')}`, ([service, ...args]) => {
  const found = serviceNames.find((name) => name === service);
  if (!found) {
    program.error(
      `Expected SERVICE to be one of ${serviceNames.join(', ')} but received ${JSON.stringify(service ?? '')}.`,
    );
  }
  return [found, args];
}).addHelpText('after', `${settingsHelp}\n\nEach service has more; services/SERVICE/config.ts lists them.`);
passedOn('doctor [options...]', 'say how fast the engine is on this machine, and what slows it', (args) => [
  'doctor',
  args,
]).addHelpText('after', '\n  --json  print JSON for scripts');

program
  .command('quickstart')
  .description("run the seed article's MNIST example, end to end")
  .addOption(
    new Option('--data-dir <folder>', 'where everything is kept').env('MILLRACE_DATA_DIR').default('.millrace'),
  )
  .addOption(new Option('--host <address>', 'address to listen on').default('127.0.0.1'))
  .addOption(portBaseOption())
  .addOption(
    new Option('--seed <n>', 'first weights and shuffling')
      .default(1)
      .argParser((text) => parseInteger(text, 0, Number.MAX_SAFE_INTEGER)),
  )
  .option('--keep', 'leave the services running')
  .option('--json', 'no progress bar; the last line is one JSON object')
  .action((options) =>
    guarded(options, async () => {
      const { quickstart } = await import('./quickstart.js');
      await quickstart(options);
    }),
  );

const data = program.command('data').description('datasets');
connected(data, 'import <name> <path...>', 'read files, folders or http(s) and s3 addresses into a new dataset version')
  .addOption(new Option('--format <format>', 'default: recognised').choices(importFormatNames))
  .addOption(
    new Option('--type <column=type>', 'of a column whose type is not to be inferred, like id=Utf8; may be repeated')
      .argParser(collectType)
      .default({}, 'inferred'),
  )
  .addOption(
    new Option('--missing <word>', 'of CSV: stands for a missing value in every column; may be repeated')
      .argParser(collect)
      .default(undefined, 'NA, null and their like in columns of numbers'),
  )
  .option('--upload', 'send files to the service (default: where it is on another host)')
  .option('--no-upload', "the service's own machine has the files")
  .action((name, files, options) =>
    withMillrace(commands.data, options, ({ dataImport }, millrace) => dataImport(millrace, name, files, options)),
  );
connected(data, 'list', 'list datasets').action((options) =>
  withMillrace(commands.data, options, ({ dataList }, millrace) => dataList(millrace, options)),
);
connected(data, 'describe <name>', 'figures of every column, and what may spoil a model; NAME or NAME:VERSION')
  .option('--label <column>', 'the column to be predicted: look for columns that tell it, and for rare classes')
  .option(
    '-f, --file <spec>',
    'take label and split from a training spec or a pipeline: look for rows that stand in several splits',
  )
  .action((name, options) =>
    withMillrace(commands.data, options, ({ dataDescribe }, millrace) => dataDescribe(millrace, name, options)),
  );
connected(data, 'preview <name>', 'rows as JSON; NAME or NAME:VERSION')
  .option('--rows <n>', 'how many, 1 to 1000 (default: 10)', (text) => parseInteger(text, 1, 1_000))
  .addOption(
    new Option('--from <row>', 'the first of them, from 1')
      .argParser((text) => parseInteger(text, 1, Number.MAX_SAFE_INTEGER))
      .conflicts('sample'),
  )
  .option('--sample <seed>', 'draw them at random', (text) => parseInteger(text, 0, Number.MAX_SAFE_INTEGER))
  .option('--columns <columns...>', 'columns to show (default: all)')
  .action((name, options) =>
    withMillrace(commands.data, options, ({ dataPreview }, millrace) => dataPreview(millrace, name, options)),
  );

const pipeline = program.command('pipeline').description('fitted pipelines');
connected(pipeline, 'fit', 'fit a pipeline on the training split of a dataset')
  .requiredOption(
    '-f, --file <path>',
    'dataset, spec and split as YAML or JSON; or a training spec, or a pipeline alone',
  )
  .option('--dataset <name>', 'NAME or NAME:VERSION, in place of what the file names')
  .action((options) => withMillrace(commands.pipeline, options, ({ fit }, millrace) => fit(millrace, options)));
connected(pipeline, 'list', 'list fitted pipelines').action((options) =>
  withMillrace(commands.pipeline, options, ({ list }, millrace) => list(millrace, options)),
);
connected(pipeline, 'describe <pipeline>', 'show what a pipeline reads, its steps and its features').action(
  (name, options) =>
    withMillrace(commands.pipeline, options, ({ describe }, millrace) => describe(millrace, name, options)),
);

program
  .command('schema <name>')
  .description(
    'print the JSON Schema of a specification, for editors: training-spec, tuning-spec, pipeline-fit or pipeline',
  )
  .action((name, options) => guarded(options, async () => (await commands.pipeline()).printSchema(name)));

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
  .addOption(new Option('--time <duration>', 'of --auto, as 90s, 5m or 2h').default(300, '5m').argParser(parseSeconds))
  .action((options) =>
    options.auto
      ? withMillrace(commands.auto, options, ({ trainAuto }, millrace) => trainAuto(millrace, options))
      : withMillrace(commands.jobs, options, ({ train }, millrace) => train(millrace, options)),
  );

placed(connected(program, 'tune', 'search the values of a training spec that do best, and publish the best model'))
  .requiredOption('-f, --file <spec>', 'training spec with what is searched under `tune`, YAML or JSON')
  .option('--follow', 'show the leaderboard until the tuning ends')
  .action((options) => withMillrace(commands.tunings, options, ({ tune }, millrace) => tune(millrace, options)));

const tunings = program.command('tunings').description('searches of training specs');
connected(tunings, 'list', 'list tunings, newest first').action((options) =>
  withMillrace(commands.tunings, options, ({ tuningsList }, millrace) => tuningsList(millrace, options)),
);
const tuningCommands = {
  describe: ['a tuning with all its trials, the best first', 'tuningsDescribe'],
  watch: ['follow the leaderboard of a tuning to its end', 'tuningsWatch'],
  cancel: ['end a tuning; nothing is published', 'tuningsCancel'],
  delete: ['remove a tuning that has ended, with its trials and their jobs', 'tuningsDelete'],
} as const;
for (const [name, [description, action]] of Object.entries(tuningCommands)) {
  connected(tunings, `${name} <tuning>`, description).action((tuning, options) =>
    withMillrace(commands.tunings, options, (module, millrace) => module[action](millrace, tuning, options)),
  );
}

const jobs = program.command('jobs').description('training jobs');
connected(jobs, 'list', 'list jobs, newest first')
  .option('--filter <filter>', 'as: state = QUEUED OR state = TRAINING AND owner = ann AND labels.team = vision', '')
  .option('--order-by <fields>', 'as: priority desc, create_time', '')
  .action((options) => withMillrace(commands.jobs, options, ({ jobsList }, millrace) => jobsList(millrace, options)));
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
    withMillrace(commands.jobs, options, ({ jobsWatch }, millrace) => jobsWatch(millrace, job, options)),
  );
connected(jobs, 'pause <job>', 'stop a job where it stands, to go on later').action((job, options) =>
  withMillrace(commands.jobs, options, ({ jobsPause }, millrace) => jobsPause(millrace, job, options)),
);
connected(jobs, 'resume <job>', 'have a job that is paused, or has failed, go on where it stopped').action(
  (job, options) =>
    withMillrace(commands.jobs, options, ({ jobsResume }, millrace) => jobsResume(millrace, job, options)),
);
connected(jobs, 'delete <job>', 'remove a job that has ended, with its events').action((job, options) =>
  withMillrace(commands.jobs, options, ({ jobsDelete }, millrace) => jobsDelete(millrace, job, options)),
);
connected(jobs, 'cancel <job>', 'end a job').action((job, options) =>
  withMillrace(commands.jobs, options, ({ jobsCancel }, millrace) => jobsCancel(millrace, job, options)),
);

const models = program.command('models').description('models and their versions');
connected(models, 'list', 'list models').action((options) =>
  withMillrace(commands.models, options, ({ modelsList }, millrace) => modelsList(millrace, options)),
);
connected(models, 'describe <model>', 'versions, aliases and metrics of a model').action((model, options) =>
  withMillrace(commands.models, options, ({ modelsDescribe }, millrace) => modelsDescribe(millrace, model, options)),
);
connected(
  models,
  'report <model>',
  'how good a trained version is: MODEL (the newest), MODEL:VERSION or MODEL:ALIAS',
).action((model, options) =>
  withMillrace(commands.report, options, ({ modelsReport }, millrace) => modelsReport(millrace, model, options)),
);
connected(models, 'promote', 'point an alias to a version')
  .argument('<model>')
  .argument('<version>', 'its number', (text) => parseInteger(text, 1, Number.MAX_SAFE_INTEGER))
  .argument('<alias>', 'champion is what answers when no version is asked for')
  .action((model, version, alias, options) =>
    withMillrace(commands.models, options, ({ modelsPromote }, millrace) =>
      modelsPromote(millrace, model, version, alias, options),
    ),
  );

connected(models, 'import <model> <path>', 'make a version of an ONNX file, or of a folder with the files of a version')
  .addOption(
    new Option('--alias <alias>', 'point it to the version; may be given again').default([]).argParser(collect),
  )
  .action((model, path, options) =>
    withMillrace(commands.models, options, ({ modelsImport }, millrace) =>
      modelsImport(millrace, model, path, options),
    ),
  );
const integerFrom0 = (text: string) => parseInteger(text, 0, Number.MAX_SAFE_INTEGER);
const countFrom0 = (text: string) => parseInteger(text, 0, int32Max);
connected(models, 'deploy <model>', 'change how a model is served; what is not given stays as it is')
  .addOption(
    new Option(
      '--traffic <target=weight>',
      'a version or an alias and its weight; again for each target; none: the champion alone',
    ).argParser(collect),
  )
  .option('--shadow <target=fraction>', 'a version that computes this share of the requests aside; none: no shadow')
  .option('--queue-delay-us <n>', 'how long a request may wait for others, microseconds', integerFrom0)
  .option('--preferred-rows <list>', 'compute as soon as so many rows wait: 32,64; none: no preference', integerList)
  .option('--rows-max <n>', 'most rows computed together; 0: as the server is set', countFrom0)
  .option('--queue-requests-max <n>', 'most requests that may wait; 0: as the server is set', countFrom0)
  .option('--priority-levels <n>', 'priorities that requests may ask for; 0: none', countFrom0)
  .option('--default-priority <n>', 'of requests that ask for none; 1 is the highest', countFrom0)
  .option('--timeout-us <n>', 'how long a request may wait in all, microseconds; 0: its deadline alone', integerFrom0)
  .option('--timeout-override', 'let requests ask for a shorter time')
  .option('--no-timeout-override', 'do not let them')
  .option('--cache-bytes <n>', 'bytes of answers to keep; 0: none', integerFrom0)
  .action((model, options) =>
    withMillrace(commands.deploy, options, ({ modelsDeploy }, millrace) => modelsDeploy(millrace, model, options)),
  );

connected(
  program,
  'predict <model>',
  'answer for raw records or a whole dataset; MODEL is NAME, NAME:VERSION or NAME:ALIAS',
)
  .option('--record <json>', 'values by column name')
  .option(
    '--file <path>',
    'a file as the value of a column, for example an image; beside --record, of the one it lacks',
  )
  .option('--column <name>', 'the column that --file is for')
  .addOption(
    new Option(
      '--records <path>',
      'a record a line, as --record; - is standard input. Answers are lines of JSON too',
    ).conflicts(['record', 'file', 'dataset']),
  )
  .addOption(
    new Option('--dataset <name>', 'NAME or NAME:VERSION: predict all its rows in a job').conflicts(['record', 'file']),
  )
  .option('--output <name>', 'the dataset that --dataset is predicted into')
  .option('--follow', 'show the progress of the job until it ends')
  .option('--carry <columns...>', "columns of the input that the output begins with; '*' for all")
  .option('--probability', 'add the probability of the likeliest class')
  .option('--scores', 'add the probability of every class')
  .option('--skip-errors', 'leave rows that cannot be predicted empty, where the job would fail')
  .option('--request-id <id>', 'makes the job safe to ask for again')
  .action((model, options) => {
    if (options.records !== undefined) {
      return withMillrace(commands.predictLines, options, ({ predictLines }, millrace) =>
        predictLines(millrace, model, options),
      );
    }
    if (options.dataset !== undefined) {
      return withMillrace(commands.predictions, options, ({ predictDataset }, millrace) =>
        predictDataset(millrace, model, options),
      );
    }
    return withMillrace(commands.predict, options, ({ predict }, millrace) => predict(millrace, model, options));
  });

const predictions = program.command('predictions').description('jobs that predict whole datasets');
connected(predictions, 'list', 'list jobs, newest first').action((options) =>
  withMillrace(commands.predictions, options, ({ predictionsList }, millrace) => predictionsList(millrace, options)),
);
connected(predictions, 'watch <job>', 'follow a job to its end').action((job, options) =>
  withMillrace(commands.predictions, options, ({ predictionsWatch }, millrace) =>
    predictionsWatch(millrace, job, options),
  ),
);
connected(predictions, 'cancel <job>', 'stop a job').action((job, options) =>
  withMillrace(commands.predictions, options, ({ predictionsCancel }, millrace) =>
    predictionsCancel(millrace, job, options),
  ),
);

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') {
    throw error;
  }
  // Whoever read has enough, as `head` does.
  process.exit(0);
});
await program.parseAsync();
