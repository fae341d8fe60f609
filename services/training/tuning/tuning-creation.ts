import { digestOf } from '../../platform/blob-store.js';
import { Violations } from '../../platform/errors.js';
import { metricNames } from '../contract-names.js';
import { checkRequest, fit, type JobRequest, newId, type SpecDependencies } from '../job-creation.js';
import { checkAgainstPipeline, checkSpec } from '../spec-check.js';
import type { FittedPipeline, SpecDraft } from '../training-spec.js';
import { type Assignment, assign, type SearchSpace, valueAt } from './search-space.js';
import { trialSpec } from './trial-spec.js';
import { resolveTune } from './tune-check.js';
import type { TuneDraft, TuneSpec } from './tune-spec.js';
import type { TuningJob } from './tuning-job.js';
import type { TuningStore } from './tuning-store.js';

export interface TuningCreationDependencies extends SpecDependencies {
  tunings: TuningStore;
  /** A training spec's message in our words. */
  toDraft(spec: object): SpecDraft;
  /** Trials at once, where the caller does not say. */
  parallelDefault: number;
}

/** What is asked for beside spec and search. */
export type TuningRequest = Pick<JobRequest, 'requestId' | 'owner' | 'priority' | 'labels'>;

/** Labels that the jobs of a tuning have beside those given. */
const ownLabels = ['tuning', 'trial'];
const labelsMax = 30;
/** The share next to 1, which stands for the end of a range. */
const nearlyOne = 1 - Number.EPSILON / 2;
const combinationsMax = 200;

/**
 * Checks a spec and what is searched of it, against the dataset too, and keeps a tuning. The spec is checked as it is at the ends of
 * all ranges and with every choice, so that trials are not refused one by one later.
 */
export async function createTuning(
  dependencies: TuningCreationDependencies,
  asked: object,
  tuneDraft: TuneDraft,
  request: TuningRequest,
  signal: AbortSignal,
): Promise<TuningJob> {
  const { tunings, toDraft, parallelDefault } = dependencies;
  const violations = new Violations();
  checkRequest({ ...request, stepEventsPerSecond: 1 }, violations);
  checkLabels(request.labels, violations);
  const tune = resolveTune(tuneDraft, asked, parallelDefault, violations);
  const spec = withMetric(asked, tune.objective);
  const draft = toDraft(spec);
  const { requestId, ...placing } = request;
  const requestDigest = digestOf(JSON.stringify([asked, tuneDraft, placing]));
  if (violations.isEmpty) {
    const made = await tunings.findRequested(requestId, requestDigest);
    if (made) {
      return made;
    }
  }
  const pipeline = await checkCorners(dependencies, { spec, draft, tune }, violations, signal);
  violations.throwIfAny();
  const pinned = { ...spec, dataset: pipeline!.datasetVersion };
  const id = newId(draft.publish!.model);
  return tunings.create({ id, requestId, requestDigest, ...placing, spec: pinned, tune });
}

/** What is compared must be measured. */
function withMetric(spec: object, objective: TuneSpec['objective']): object {
  const { metrics = [] } = spec as { metrics?: string[] };
  const name = metricNames[objective];
  const isMeasured = objective === 'validationLoss' || metrics.includes(name);
  return isMeasured ? spec : { ...spec, metrics: [...metrics, name] };
}

function checkLabels(labels: Record<string, string>, violations: Violations): void {
  const count = Object.keys(labels).length;
  violations.check(count <= labelsMax, 'labels', `at most ${labelsMax} names`, count);
  for (const name of ownLabels) {
    violations.check(!Object.hasOwn(labels, name), `labels.${name}`, 'left to the tuning', labels[name]);
  }
}

/** Notes what is wrong with the spec somewhere in the space. @returns the fitted pipeline, if there is one */
async function checkCorners(
  { preprocessing, memoryBytes, toDraft }: TuningCreationDependencies,
  { spec, draft, tune }: { spec: object; draft: SpecDraft; tune: TuneSpec },
  violations: Violations,
  signal: AbortSignal,
): Promise<FittedPipeline | null> {
  if (!violations.isEmpty) {
    // What the space is to be put into may not be what it seems: the spec alone is checked.
    checkSpec(draft, violations);
    const fitted = await fit(preprocessing, draft, violations, signal);
    if (fitted) {
      checkAgainstPipeline(draft, fitted, memoryBytes, violations);
    }
    return fitted;
  }
  const checked = corners(tune.space).map((values) => {
    const found = new Violations();
    const corner = toDraft(trialSpec(spec, values));
    checkSpec(corner, found);
    return { corner, found };
  });
  const noted = new Set<string>();
  const note = () => {
    for (const { field, description } of checked.flatMap(({ found }) => found.all)) {
      if (!noted.has(description)) {
        noted.add(description);
        violations.add(field, description);
      }
    }
  };
  note();
  const pipeline = await fit(preprocessing, draft, violations, signal);
  if (pipeline) {
    const rule = 'a split that leaves rows for validation, by which trials are told apart,';
    const rows = pipeline.rowCounts.validation;
    violations.check(rows > 0, 'spec.split', rule, `${rows} rows`);
    for (const { corner, found } of checked) {
      checkAgainstPipeline(corner, pipeline, memoryBytes, found);
    }
    note();
  }
  return pipeline;
}

/** All parameters at their least, all at their most, and every option of every choice with the others at their least. */
function corners(space: SearchSpace): Assignment[] {
  const ends = [0, nearlyOne].map((share) => assign(space, ({ range }) => valueAt(range, share)));
  const choices = space.flatMap(({ name, range }) =>
    range.type === 'choice'
      ? range.options.map((option) =>
          assign(space, (parameter) => (parameter.name === name ? option : valueAt(parameter.range, 0))),
        )
      : [],
  );
  return [...ends, ...choices].slice(0, combinationsMax);
}
