import type { Pipeline__Output as Pipeline } from '../../proto/gen/millrace/v1/Pipeline.js';
import {
  type Millrace,
  pages,
  pipelineFields,
  readPipelineFit,
  type SpecName,
  specMessages,
  specSchema,
} from '../sdk/index.js';
import { CommandError, type CommonOptions, show, table } from './output.js';
import { datasetName, fullName, idOf } from './resource-name.js';
import { specText } from './spec-file.js';

const featuresShown = 20;

interface FitOptions extends CommonOptions {
  file: string;
  /** NAME or NAME:VERSION, in place of what the file names. */
  dataset?: string;
}

export async function fit(millrace: Millrace, options: FitOptions): Promise<void> {
  const source = await specText(options.file);
  const request = readPipelineFit(source);
  const dataset = options.dataset ? datasetName(options.dataset) : request.dataset;
  if (!dataset) {
    throw new CommandError(`${options.file} names no dataset to fit on: give one with --dataset NAME.`);
  }
  const fields = pipelineFields(source);
  const fitted = await source.telling(fields, () => millrace.preprocessing.fitPipeline({ ...request, dataset }));
  show(options, fitted, [fitted.name], `millrace pipeline describe ${idOf(fitted.name)}`);
}

export async function list(millrace: Millrace, options: CommonOptions): Promise<void> {
  const pipelines: Pipeline[] = [];
  for await (const page of pages((pageToken) => millrace.preprocessing.listPipelines({ pageToken }))) {
    pipelines.push(...page.pipelines);
  }
  const rows = pipelines.map(({ name, datasetVersion, featureCount }) => [
    idOf(name),
    datasetVersion,
    `${featureCount} features`,
  ]);
  show(options, { pipelines }, rows.length > 0 ? table(rows) : ['no pipelines'], 'millrace pipeline fit -f FILE.yaml');
}

export async function describe(millrace: Millrace, name: string, options: CommonOptions): Promise<void> {
  const fitted = await millrace.preprocessing.getPipeline({ name: fullName('pipelines', name) });
  const { featureNames, spec } = fitted;
  const steps = (spec?.columns ?? []).map(({ column, steps: chain }) => [
    column,
    chain.map(({ kind }) => kind).join(', ') || 'as it is',
  ]);
  const more = featureNames.length - featuresShown;
  const lines = [
    `${fitted.name}  ${fitted.digest}`,
    `fitted on ${fitted.trainRowCount} rows of ${fitted.datasetVersion}`,
    ...table(steps),
    `${featureNames.length} features: ${featureNames.slice(0, featuresShown).join(', ')}${more > 0 ? ` and ${more} more` : ''}`,
  ];
  show(options, fitted, lines, `millrace pipeline describe ${idOf(fitted.name)} --json`);
}

/** To the standard output, so that it can be kept as a file. */
export function printSchema(name: string): void {
  if (!Object.hasOwn(specMessages, name)) {
    throw new CommandError(
      `Expected one of ${Object.keys(specMessages).join(', ')} but received ${JSON.stringify(name)}.`,
    );
  }
  process.stdout.write(`${JSON.stringify(specSchema(name as SpecName), null, 2)}\n`);
}
