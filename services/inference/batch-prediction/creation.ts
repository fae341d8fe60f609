import { randomInt } from 'node:crypto';
import { canonicalJson, classesOf, type FittedLabel } from '../../pipeline/index.js';
import { digestOf } from '../../platform/blob-store.js';
import { Violations } from '../../platform/errors.js';
import { ResourceName } from '../../platform/resource-name.js';
import { type AskedModel, matchModelName, modelNameForms } from '../model-name.js';
import type { DatasetVersion } from '../preprocessing-client.js';
import { answerColumns } from './answer-columns.js';
import type { BatchPrediction, BatchPredictionDraft } from './batch-prediction.js';
import type { BatchModels } from './models.js';
import type { BatchPredictionStore } from './store.js';

/** What creating a job needs of preprocessing. */
export interface DatasetDirectory {
  datasetVersion(name: string, signal: AbortSignal): Promise<DatasetVersion>;
}

export interface CreationDependencies {
  store: BatchPredictionStore;
  datasets: DatasetDirectory;
  models: BatchModels;
}

const datasetName = new ResourceName('datasets/{dataset}');
const datasetVersionName = new ResourceName('datasets/{dataset}/versions/{version}');
const requestIdLengthMax = 100;
const carriedColumnsMax = 10_000;
const idCharacters = 'abcdefghijklmnopqrstuvwxyz0123456789';
const idLength = 8;
/** Stands for all columns of the input. */
const everyColumn = '*';

/**
 * Checks a job, against the model and the dataset too, and queues it with both pinned: what does not fit is refused now and
 * not after a wait in the queue.
 */
export async function createBatchPrediction(
  { store, datasets, models }: CreationDependencies,
  draft: BatchPredictionDraft,
  requestId: string | null,
  signal: AbortSignal,
): Promise<BatchPrediction> {
  const { model, asked } = checkForm(draft, requestId);
  const requestDigest = digestOf(canonicalJson(draft));
  const made = await store.findRequested(requestId, requestDigest);
  if (made) {
    return made;
  }
  const version = await models.resolve({ model, asked }, signal);
  const [pipeline, dataset] = await Promise.all([
    models.pipeline(model, version, signal),
    datasets.datasetVersion(draft.dataset, signal),
  ]);
  const needed = pipeline.inputs.map(({ column }) => column);
  checkColumns(draft, dataset, needed, pipeline.label);
  const spec = {
    ...draft,
    modelVersion: { model, number: version.number, digest: version.digest },
    datasetVersion: dataset.name,
    datasetDigest: dataset.digest,
    rowsTotal: dataset.rowCount,
  };
  return store.create({ id: newId(), requestId, requestDigest, spec });
}

/** Columns of the input that the output begins with. */
export function carriedColumns(
  { carriedColumns: carried }: Pick<BatchPredictionDraft, 'carriedColumns'>,
  columns: readonly string[],
): readonly string[] {
  return carried.length === 1 && carried[0] === everyColumn ? columns : carried;
}

const field = (name: string) => `batch_prediction.${name}`;

function checkForm(
  { model, dataset, outputDataset, carriedColumns: carried }: BatchPredictionDraft,
  id: string | null,
) {
  const violations = new Violations();
  const asked = matchModelName(model);
  violations.check(asked !== null, field('model'), `like one of ${modelNameForms}`, model);
  const isDataset = Boolean(datasetName.match(dataset) ?? datasetVersionName.match(dataset));
  violations.check(
    isDataset,
    field('dataset'),
    `like ${datasetName.pattern} or ${datasetVersionName.pattern}`,
    dataset,
  );
  const isOutput = datasetName.match(outputDataset) !== null;
  violations.check(isOutput, field('output_dataset'), `like ${datasetName.pattern}`, outputDataset);
  const isUnique = new Set(carried).size === carried.length;
  violations.check(isUnique, field('carried_columns'), 'columns of which none is named twice', carried);
  const isAlone = !carried.includes(everyColumn) || carried.length === 1;
  violations.check(isAlone, field('carried_columns'), 'names of columns, or a single *', carried);
  const carriedRule = `at most ${carriedColumnsMax} names`;
  violations.check(carried.length <= carriedColumnsMax, field('carried_columns'), carriedRule, carried.length);
  const idRule = `at most ${requestIdLengthMax} characters`;
  violations.check((id?.length ?? 0) <= requestIdLengthMax, 'request_id', idRule, id);
  violations.throwIfAny();
  return asked as AskedModel;
}

function checkColumns(
  draft: BatchPredictionDraft,
  dataset: DatasetVersion,
  needed: readonly string[],
  label: FittedLabel,
): void {
  const violations = new Violations();
  const present = new Set(dataset.columns);
  const missing = needed.filter((column) => !present.has(column));
  const columns = `a dataset with the columns that the model reads (${nameSome(needed)})`;
  violations.check(missing.length === 0, field('dataset'), columns, `${dataset.name} without ${nameSome(missing)}`);
  const carried = carriedColumns(draft, dataset.columns);
  const unknown = carried.filter((column) => !present.has(column));
  const known = `columns of ${dataset.name} (${nameSome(dataset.columns)})`;
  violations.check(unknown.length === 0, field('carried_columns'), known, nameSome(unknown));
  const isNumber = classesOf(label) === null;
  const { includeProbability, includeScores } = draft;
  const rule = `false, since ${isNumber ? 'the label holds numbers' : 'a row may be of several classes (see `include_scores`)'},`;
  const hasLikeliest = !isNumber && label.kind !== 'labels';
  violations.check(hasLikeliest || !includeProbability, field('include_probability'), rule, true);
  violations.check(!isNumber || !includeScores, field('include_scores'), rule, true);
  const added = answerColumns(draft, label).map(({ name }) => name);
  const clashing = added.filter((column) => carried.includes(column));
  const free = 'columns that are not called as what is added to them';
  violations.check(clashing.length === 0, field('carried_columns'), free, nameSome(clashing));
  violations.throwIfAny();
}

const namesMax = 10;

function nameSome(names: readonly string[]): string {
  const more = names.length > namesMax ? ` and ${names.length - namesMax} more` : '';
  return names.slice(0, namesMax).join(', ') + more;
}

function newId(): string {
  // A letter first, as every id.
  const first = idCharacters[randomInt(26)]!;
  return first + Array.from({ length: idLength - 1 }, () => idCharacters[randomInt(idCharacters.length)]).join('');
}
