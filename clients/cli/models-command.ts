import type { ModelVersion__Output as ModelVersion } from '../../proto/gen/millrace/v1/ModelVersion.js';
import { fromTimestamp } from '../../proto/index.js';
import { type Millrace, pages } from '../sdk/index.js';
import { describeDeployment } from './deploy-command.js';
import { type CommonOptions, show, table } from './output.js';
import { fullName, idOf } from './resource-name.js';

export async function modelsList(millrace: Millrace, options: CommonOptions): Promise<void> {
  const models = [];
  for await (const page of pages((pageToken) => millrace.registry.listModels({ pageToken }))) {
    models.push(...page.models);
  }
  const rows = models.map(({ name, latestVersion, aliases }) => [
    idOf(name),
    String(latestVersion),
    Object.entries(aliases)
      .map(([alias, version]) => `${alias}=${version}`)
      .join(' '),
  ]);
  show(options, models, table([['MODEL', 'LATEST', 'ALIASES'], ...rows]), 'millrace models describe MODEL');
}

export async function modelsDescribe(millrace: Millrace, name: string, options: CommonOptions): Promise<void> {
  const model = await millrace.registry.getModel({ name: fullName('models', name) });
  const deployment = await millrace.registry.getDeployment({ name: `${model.name}/deployment` });
  const { modelVersions } = await millrace.registry.listModelVersions({ parent: model.name, pageSize: 1000 });
  const rows = modelVersions.map((version) => [
    version.name.split('/').at(-1)!,
    version.aliases.join(' '),
    describeMetrics(version),
    version.lineage?.datasetVersion ?? '',
    version.lineage?.trainingJob ?? '',
    version.createTime ? new Date(fromTimestamp(version.createTime)).toISOString() : '',
  ]);
  const heading = ['VERSION', 'ALIASES', 'METRICS', 'DATASET', 'JOB', 'CREATED'];
  show(
    options,
    { ...model, deployment, modelVersions },
    [model.name, ...describeDeployment(deployment), ...table([heading, ...rows])],
    `millrace models promote ${idOf(model.name)} VERSION champion`,
  );
}

function describeMetrics(version: ModelVersion): string {
  return Object.entries(version.metrics)
    .map(([metric, value]) => `${metric}=${value.toFixed(4)}`)
    .join(' ');
}

export async function modelsPromote(
  millrace: Millrace,
  name: string,
  version: number,
  alias: string,
  options: CommonOptions,
): Promise<void> {
  const model = await millrace.registry.setModelAlias({ name: fullName('models', name), alias, version });
  show(
    options,
    model,
    [`${model.name}/aliases/${alias} is version ${version} now`],
    `millrace predict ${idOf(model.name)}:${alias} --record JSON`,
  );
}

export async function modelsImport(
  millrace: Millrace,
  name: string,
  source: string,
  options: CommonOptions & { alias: string[] },
): Promise<void> {
  const version = await millrace.importModel(name, source, options.alias);
  const [, id, , number] = version.name.split('/');
  const files = version.artifacts.map(({ path, sizeBytes }) => `  ${path} (${sizeBytes} bytes)`);
  const isPromoted = version.aliases.includes('champion');
  show(
    options,
    version,
    [version.name, ...files],
    isPromoted ? `millrace models describe ${id}` : `millrace models promote ${id} ${number} champion`,
  );
}
