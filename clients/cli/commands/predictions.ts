import { type Command, Option } from 'commander';
import { connected, withMillrace } from './connected.js';

const loadPredictLines = () => import('../predict-lines-command.js');
const loadPredictions = () => import('../predictions-command.js');
const loadPredict = () => import('../predict-command.js');

/** Answers, for records and for whole datasets. */
export function addPredictionCommands(program: Command): void {
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
      new Option('--dataset <name>', 'NAME or NAME:VERSION: predict all its rows in a job').conflicts([
        'record',
        'file',
      ]),
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
        return withMillrace(loadPredictLines, options, ({ predictLines }, millrace) =>
          predictLines(millrace, model, options),
        );
      }
      if (options.dataset !== undefined) {
        return withMillrace(loadPredictions, options, ({ predictDataset }, millrace) =>
          predictDataset(millrace, model, options),
        );
      }
      return withMillrace(loadPredict, options, ({ predict }, millrace) => predict(millrace, model, options));
    });

  const predictions = program.command('predictions').description('jobs that predict whole datasets');
  connected(predictions, 'list', 'list jobs, newest first').action((options) =>
    withMillrace(loadPredictions, options, ({ predictionsList }, millrace) => predictionsList(millrace, options)),
  );
  connected(predictions, 'watch <job>', 'follow a job to its end').action((job, options) =>
    withMillrace(loadPredictions, options, ({ predictionsWatch }, millrace) =>
      predictionsWatch(millrace, job, options),
    ),
  );
  connected(predictions, 'cancel <job>', 'stop a job').action((job, options) =>
    withMillrace(loadPredictions, options, ({ predictionsCancel }, millrace) =>
      predictionsCancel(millrace, job, options),
    ),
  );
}
