import { quote, type Violations } from '../../platform/errors.js';
import { nearest } from '../../platform/nearest-name.js';
import { type Metric, metricNames } from '../contract-names.js';
import type { Condition, Parameter, SearchRange, SearchSpace, Value } from './search-space.js';
import { sobolDimensionsMax } from './sobol-sequence.js';
import { readPath, type Target } from './spec-path.js';
import { denseLayers, findPlace, hiddenLayers, type Place, targetOf } from './trial-spec.js';
import type { HyperbandSettings, Objective, RangeDraft, TuneDraft, TuneSpec } from './tune-spec.js';

const trialsMax = 1_000;
const trialsDefault = 50;
const parallelMax = 100;
const optionsMax = 100;

/** What was trained on does not tell trials apart. */
function isMeasured(metric: string): metric is Objective {
  return Object.hasOwn(metricNames, metric) && metric.startsWith('validation');
}

/**
 * A checked tuning with its defaults. Notes every violation; what is answered then is of no use.
 * @param spec message of the training spec
 */
export function resolveTune(tune: TuneDraft, spec: object, parallelDefault: number, violations: Violations): TuneSpec {
  const { trials, parallel, objective, seconds, seed, asha } = tune;
  const isCount = (value: number, most: number) => Number.isInteger(value) && value >= 0 && value <= most;
  violations.check(isCount(trials, trialsMax), 'tune.trials', 'from 1 to 1,000', trials);
  violations.check(isCount(parallel, parallelMax), 'tune.parallel', 'from 1 to 100', parallel);
  violations.check(Number.isFinite(seconds) && seconds >= 0, 'tune.seconds', 'a finite number greater than 0', seconds);
  violations.check(Number.isSafeInteger(seed) && seed >= 0, 'tune.seed', 'from 0 to 2^53 - 1', seed);
  const rungs = { minimumValidations: asha?.minimumValidations || 1, reductionFactor: asha?.reductionFactor || 3 };
  violations.check(rungs.minimumValidations >= 1, 'tune.asha.minimum_validations', 'from 1', rungs.minimumValidations);
  checkFactor('tune.asha', rungs.reductionFactor, violations);
  const isObjective = objective === null || isMeasured(objective);
  const asked = isObjective ? objective : (metricNames[objective as Metric] ?? objective);
  violations.check(isObjective, 'tune.objective', 'a metric of the validation rows', asked);
  return {
    space: resolveSpace(tune.space, spec, violations),
    spaceMessage: tune.spaceMessage,
    method: tune.method ?? 'tpe',
    trials: trials || (seconds > 0 ? trialsMax : trialsDefault),
    parallel: parallel || parallelDefault,
    objective: (objective ?? 'validationLoss') as Objective,
    stopEarly: tune.stopEarly ?? 'asha',
    seconds: seconds || null,
    seed,
    asha: rungs,
    hyperband: resolveHyperband(tune, spec, violations),
  };
}

function checkFactor(field: string, factor: number, violations: Violations): boolean {
  return violations.check(factor >= 2 && factor <= 100, `${field}.reduction_factor`, 'from 2 to 100', factor);
}

/** Its brackets follow from how often a trial is validated at most, which most specs say. */
function resolveHyperband(
  { stopEarly, hyperband }: TuneDraft,
  spec: object,
  violations: Violations,
): HyperbandSettings {
  const reductionFactor = hyperband?.reductionFactor || 3;
  const isFactor = checkFactor('tune.hyperband', reductionFactor, violations);
  const { epochs, validation } = spec as { epochs?: number; validation?: { everyEpochs?: number } | null };
  const given = hyperband?.maximumValidations ?? 0;
  const maximumValidations = given || Math.ceil((epochs || 0) / (validation?.everyEpochs || 1));
  if (stopEarly !== 'hyperband') {
    return { maximumValidations: given, reductionFactor };
  }
  const field = 'tune.hyperband.maximum_validations';
  if (maximumValidations === 0) {
    const why = 'since `spec.epochs` does not say how often a trial is validated';
    violations.add(field, `Expected \`${field}\` to be given, ${why}.`);
  } else if (isFactor) {
    const least = `at least ${reductionFactor}, the reduction factor, without which no trial would be stopped,`;
    violations.check(maximumValidations >= reductionFactor, field, least, maximumValidations);
  }
  return { maximumValidations, reductionFactor };
}

interface Found {
  name: string;
  range: RangeDraft;
  place: Place;
}

function resolveSpace(space: TuneDraft['space'], spec: object, violations: Violations): SearchSpace {
  const names = Object.keys(space);
  const rule = `from 1 to ${sobolDimensionsMax} places of the training spec`;
  violations.check(names.length > 0 && names.length <= sobolDimensionsMax, 'tune.space', rule, names.length);
  const found: Found[] = [];
  for (const [name, range] of Object.entries(space).slice(0, sobolDimensionsMax)) {
    const place = findPlace(name);
    if (typeof place === 'string') {
      violations.add(fieldOf(name), `Expected \`${fieldOf(name)}\` to be named after what is searched: ${place}`);
      checkBounds(fieldOf(name), range, violations);
      continue;
    }
    found.push({ name, range, place });
  }
  const all = new Map(found.map((each) => [each.name, each]));
  const parameters = found.map((each) => {
    const parameter: Parameter = {
      name: each.name,
      range: resolveRange(each, violations),
      when: [...impliedConditions(each, all, spec, violations), ...givenConditions(each, all, violations)],
    };
    return parameter;
  });
  return inOrder(parameters, violations);
}

const fieldOf = (name: string) => `tune.space["${name}"]`;

function resolveRange({ name, range, place }: Found, violations: Violations): SearchRange {
  const field = fieldOf(name);
  const target = targetOf(place);
  const { type, low, high } = range;
  const step = range.step || 1;
  switch (type) {
    case null:
      violations.add(field, `Expected exactly one of uniform, log_uniform, integer and choice in \`${field}\`.`);
      break;
    case 'choice':
      checkOptions(range, target, field, violations);
      return { type, options: range.options as Value[] };
    case 'integer': {
      const isNumber = target.type === 'number' || target.type === 'integer';
      violations.check(isNumber, field, `${describe(target)},`, 'integer');
      violations.check(Number.isSafeInteger(step) && step >= 1, `${field}.integer.step`, 'from 1', step);
      if (range.log) {
        violations.check(low >= 1, `${field}.integer.low`, 'from 1, with log,', low);
        violations.check(step === 1, `${field}.integer.step`, '1, with log,', step);
      }
      break;
    }
    default: {
      const word = type === 'uniform' ? type : 'log_uniform';
      violations.check(target.type === 'number', field, `${describe(target)},`, word);
    }
  }
  checkBounds(field, range, violations);
  return type === 'integer' ? { type, low, high, step, log: range.log } : { type: type ?? 'uniform', low, high };
}

function checkBounds(field: string, { type, low, high }: RangeDraft, violations: Violations): void {
  if (type === null || type === 'choice') {
    return;
  }
  const word = type === 'logUniform' ? 'log_uniform' : type;
  violations.check(type !== 'logUniform' || low > 0, `${field}.${word}.low`, 'greater than 0', low);
  violations.check(Number.isFinite(low), `${field}.${word}.low`, 'a finite number', low);
  violations.check(high > low && Number.isFinite(high), `${field}.${word}.high`, `greater than low, ${low},`, high);
}

/** What may be searched at a place, in words. */
function describe(target: Target): string {
  switch (target.type) {
    case 'number':
      return 'uniform, log_uniform, integer or a choice of numbers';
    case 'integer':
      return 'integer or a choice of whole numbers';
    case 'flag':
      return 'a choice of true and false';
    case 'text':
      return 'a choice of texts';
    default:
      return `a choice of ${[...target.names.keys()].join(', ')}`;
  }
}

/** What an option of a choice may be, in words. */
function describeOption(target: Target): string {
  switch (target.type) {
    case 'number':
      return 'a finite number';
    case 'integer':
      return 'a whole number';
    case 'flag':
      return 'true or false';
    case 'text':
      return 'a text';
    default:
      return `one of ${[...target.names.keys()].join(', ')}`;
  }
}

function checkOptions({ options }: RangeDraft, target: Target, field: string, violations: Violations): void {
  const isCount = options.length >= 2 && options.length <= optionsMax;
  violations.check(isCount, `${field}.choice`, `2 to ${optionsMax} values`, `${options.length}`);
  for (const [i, option] of options.slice(0, optionsMax).entries()) {
    const place = `${field}.choice[${i}]`;
    if (!fits(option, target)) {
      const known = 'names' in target && typeof option === 'string' ? nearest(option, [...target.names.keys()]) : null;
      const hint = known ? ` Did you mean \`${known}\`?` : '';
      violations.add(
        place,
        `Expected \`${place}\` to be ${describeOption(target)} but received ${quote(option)}.${hint}`,
      );
    } else if (options.indexOf(option) < i) {
      violations.add(place, `Expected \`${place}\` to be named once but received ${quote(option)} again.`);
    }
  }
}

function fits(option: Value | null, target: Target): boolean {
  switch (target.type) {
    case 'number':
      return typeof option === 'number' && Number.isFinite(option);
    case 'integer':
      return Number.isSafeInteger(option);
    case 'flag':
      return typeof option === 'boolean';
    case 'text':
      return typeof option === 'string';
    default:
      return typeof option === 'string' && target.names.has(option);
  }
}

/** Settings of a kind are there when the kind is; the second layer of equal ones when there are two. */
function impliedConditions(
  { name, place }: Found,
  all: ReadonlyMap<string, Found>,
  spec: object,
  violations: Violations,
): Condition[] {
  if (place.type === 'field') {
    return place.kinds.flatMap(({ path, kind }) => {
      const searched = all.get(path);
      if (searched) {
        return [{ parameter: path, oneOf: [kind] }];
      }
      const steps = place.steps.slice(0, path.split(/[.[]/).length);
      const settings = readPath(spec, [
        ...steps,
        kind.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      ]);
      if (settings === null || settings === undefined) {
        const rule = `\`spec.${path}\` to be ${kind}, or \`${path}\` to be searched too with ${kind} among its choices`;
        violations.add(fieldOf(name), `Expected ${rule}, since \`${name}\` is searched.`);
      }
      return [];
    });
  }
  if (place.type === 'optimizer') {
    return [];
  }
  const hidden = hiddenLayers((readPath(spec, ['network', 'layers']) ?? []) as object[]);
  const dense = denseLayers(hidden).length;
  const needed = place.type === 'depth' ? hidden.length : dense;
  if (needed === 0) {
    const what = place.type === 'depth' ? 'a layer' : 'a dense layer';
    violations.add(
      fieldOf(name),
      `Expected \`spec.network.layers\` to have ${what} before the last, since \`${name}\` is searched.`,
    );
    return [];
  }
  if (place.type !== 'widthOf' || place.layer < dense) {
    return [];
  }
  const atLeast = Math.floor(place.layer / dense) + 1;
  if (!all.has('network.depth')) {
    const rule = `less than ${dense}, the dense layers before the last, or \`network.depth\` searched too`;
    violations.add(fieldOf(name), `Expected the place in \`${name}\` to be ${rule}.`);
  }
  return [{ parameter: 'network.depth', atLeast }];
}

function givenConditions({ name, range }: Found, all: ReadonlyMap<string, Found>, violations: Violations): Condition[] {
  return range.when.map(({ path, oneOf }, i) => {
    const field = `${fieldOf(name)}.when[${i}]`;
    if (!all.has(path) || path === name) {
      const others = [...all.keys()].filter((other) => other !== name);
      const meant = nearest(path, others);
      const hint = meant ? ` Did you mean \`${meant}\`?` : ` Searched are ${others.join(', ') || 'no others'}.`;
      violations.add(
        `${field}.path`,
        `Expected \`${field}.path\` to be another place of \`tune.space\` but received ${quote(path)}.${hint}`,
      );
    }
    violations.check(oneOf.length > 0 && !oneOf.includes(null), `${field}.one_of`, 'at least one value', oneOf.length);
    return { parameter: path, oneOf: oneOf as Value[] };
  });
}

/** Each after those that it depends on, otherwise by name: maps have no order on the wire. */
function inOrder(parameters: readonly Parameter[], violations: Violations): SearchSpace {
  const left = [...parameters].sort((a, b) => (a.name < b.name ? -1 : 1));
  const ordered: Parameter[] = [];
  while (left.length > 0) {
    const waits = (name: string) => left.some((other) => other.name === name);
    const next = left.findIndex(({ when }) => !when.some(({ parameter }) => waits(parameter)));
    if (next < 0) {
      const names = left.map(({ name }) => `\`${name}\``).join(', ');
      violations.add(
        'tune.space',
        `Expected conditions in \`tune.space\` not to go round in circles, as those of ${names} do.`,
      );
      break;
    }
    ordered.push(...left.splice(next, 1));
  }
  return ordered;
}
