import { type Command, Option } from 'commander';
import { collect, connected, parseInteger, withMillrace } from './connected.js';

const loadDeploy = () => import('../deploy-command.js');
const loadModels = () => import('../models-command.js');
const loadReport = () => import('../model-report.js');

/** Models, their versions and how they are served. */
export function addModelCommands(program: Command): void {
  const models = program.command('models').description('models and their versions');
  connected(models, 'list', 'list models').action((options) =>
    withMillrace(loadModels, options, ({ modelsList }, millrace) => modelsList(millrace, options)),
  );
  connected(models, 'describe <model>', 'versions, aliases and metrics of a model').action((model, options) =>
    withMillrace(loadModels, options, ({ modelsDescribe }, millrace) => modelsDescribe(millrace, model, options)),
  );
  connected(
    models,
    'report <model>',
    'how good a trained version is: MODEL (the newest), MODEL:VERSION or MODEL:ALIAS',
  ).action((model, options) =>
    withMillrace(loadReport, options, ({ modelsReport }, millrace) => modelsReport(millrace, model, options)),
  );
  connected(models, 'promote', 'point an alias to a version')
    .argument('<model>')
    .argument('<version>', 'its number', (text) => parseInteger(text, 1, Number.MAX_SAFE_INTEGER))
    .argument('<alias>', 'champion is what answers when no version is asked for')
    .action((model, version, alias, options) =>
      withMillrace(loadModels, options, ({ modelsPromote }, millrace) =>
        modelsPromote(millrace, model, version, alias, options),
      ),
    );

  connected(
    models,
    'import <model> <path>',
    'make a version of an ONNX file, or of a folder with the files of a version',
  )
    .addOption(
      new Option('--alias <alias>', 'point it to the version; may be given again').default([]).argParser(collect),
    )
    .action((model, path, options) =>
      withMillrace(loadModels, options, ({ modelsImport }, millrace) => modelsImport(millrace, model, path, options)),
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
      withMillrace(loadDeploy, options, ({ modelsDeploy }, millrace) => modelsDeploy(millrace, model, options)),
    );
}

const int32Max = 2 ** 31 - 1;

function integerList(text: string): number[] {
  return text === 'none' ? [] : text.split(',').map((item) => parseInteger(item, 1, int32Max));
}
