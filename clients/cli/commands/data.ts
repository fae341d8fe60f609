import { type Command, Option } from 'commander';
import { collectType, importFormatNames } from '../import-format.js';
import { collect, connected, guarded, parseInteger, withMillrace } from './connected.js';

const loadData = () => import('../data-command.js');
const loadPipeline = () => import('../pipeline-command.js');

/** Datasets, pipelines and the schemas of specs. */
export function addDataCommands(program: Command): void {
  const data = program.command('data').description('datasets');
  connected(
    data,
    'import <name> <path...>',
    'read files, folders or http(s) and s3 addresses into a new dataset version',
  )
    .addOption(new Option('--format <format>', 'default: recognised').choices(importFormatNames))
    .addOption(
      new Option('--type <column=type>', 'of a column whose type is not to be inferred, like id=Utf8; may be repeated')
        .argParser(collectType)
        .default({}, 'inferred'),
    )
    .addOption(
      new Option('--missing <word>', 'of CSV: stands for a missing value in every column; may be repeated')
        .argParser(collect)
        .default(undefined, 'NA, null and their like in columns of numbers or times'),
    )
    .option('--upload', 'send files to the service (default: where it is on another host)')
    .option('--no-upload', "the service's own machine has the files")
    .action((name, files, options) =>
      withMillrace(loadData, options, ({ dataImport }, millrace) => dataImport(millrace, name, files, options)),
    );
  connected(data, 'list', 'list datasets').action((options) =>
    withMillrace(loadData, options, ({ dataList }, millrace) => dataList(millrace, options)),
  );
  connected(data, 'describe <name>', 'figures of every column, and what may spoil a model; NAME or NAME:VERSION')
    .option('--label <columns...>', 'columns to be predicted: look for columns that tell one, and for rare classes')
    .option('--separator <text>', 'what parts the classes in a label column of text whose rows may be of several')
    .option(
      '-f, --file <spec>',
      'take label and split from a training spec or a pipeline: look for rows that stand in several splits',
    )
    .action((name, options) =>
      withMillrace(loadData, options, ({ dataDescribe }, millrace) => dataDescribe(millrace, name, options)),
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
      withMillrace(loadData, options, ({ dataPreview }, millrace) => dataPreview(millrace, name, options)),
    );

  const pipeline = program.command('pipeline').description('fitted pipelines');
  connected(pipeline, 'fit', 'fit a pipeline on the training split of a dataset')
    .requiredOption(
      '-f, --file <path>',
      'dataset, spec and split as YAML or JSON; or a training spec, or a pipeline alone',
    )
    .option('--dataset <name>', 'NAME or NAME:VERSION, in place of what the file names')
    .action((options) => withMillrace(loadPipeline, options, ({ fit }, millrace) => fit(millrace, options)));
  connected(pipeline, 'list', 'list fitted pipelines').action((options) =>
    withMillrace(loadPipeline, options, ({ list }, millrace) => list(millrace, options)),
  );
  connected(pipeline, 'describe <pipeline>', 'show what a pipeline reads, its steps and its features').action(
    (name, options) =>
      withMillrace(loadPipeline, options, ({ describe }, millrace) => describe(millrace, name, options)),
  );

  program
    .command('schema <name>')
    .description(
      'print the JSON Schema of a specification, for editors: training-spec, tuning-spec, pipeline-fit or pipeline',
    )
    .action((name, options) => guarded(options, async () => (await loadPipeline()).printSchema(name)));
}
