import type { Schedule } from '../../native/index.js';
import type { Violations } from '../platform/errors.js';
import { annealingNames } from './contract-names.js';
import {
  checkSettings,
  choice,
  type Draft,
  flag,
  fraction,
  fromOne,
  integer,
  notNegative,
  openFraction,
  positive,
  required,
  type Settings,
  snakeCase,
  unset,
  withDefaults,
} from './settings.js';

export type ScheduleDraft = Draft & { type: Schedule['type'] };

/** How long a training is: what a schedule's own length follows from. */
export interface TrainingLength {
  stepsPerEpoch: number;
  /** Null: only time ends it. */
  steps: number | null;
}

const schedules: Record<Schedule['type'], Settings> = {
  constant: {},
  step: { steps: integer(1, unset), factor: positive(0.1) },
  exponential: { steps: integer(1, unset), factor: positive(required), staircase: flag(false) },
  polynomial: { steps: integer(1, unset), endRate: notNegative(1e-4), power: positive(1), cycle: flag(false) },
  cosine: { steps: integer(1, unset), alpha: notNegative(0) },
  oneCycle: {
    steps: integer(2, unset),
    maximumRate: positive(unset),
    risingShare: fraction(0.3),
    annealing: choice(annealingNames, 'cosine'),
    initialDivisor: positive(25),
    finalDivisor: positive(1e4),
    threePhases: flag(false),
  },
  plateau: {
    factor: openFraction(0.1),
    patience: integer(0, 10),
    minimumDelta: notNegative(1e-4),
    cooldown: integer(0, 0),
    minimumRate: notNegative(0),
  },
};

const warmup: Settings = { warmupSteps: integer(0, unset), warmupEpochs: notNegative(unset) };
const epochs: Settings = { epochs: positive(unset) };
const restarts: Settings = { lengthFactor: fromOne(2), rateFactor: positive(1) };

const field = 'spec.schedule';
const lengthOf = (type: Schedule['type']) => Object.hasOwn(schedules[type], 'steps');

/** @param isTimed whether nothing but time ends the training, so that its steps are unknown */
export function checkSchedule(schedule: ScheduleDraft | null, isTimed: boolean, violations: Violations): void {
  if (schedule === null) {
    return;
  }
  checkSettings(warmup, schedule, field, violations);
  checkNotBoth(schedule, field, ['warmupSteps', 'warmupEpochs'], violations);
  const path = `${field}.${snakeCase(schedule.type)}`;
  checkSettings(schedules[schedule.type], schedule, path, violations);
  if (lengthOf(schedule.type)) {
    checkSettings(epochs, schedule, path, violations);
    checkNotBoth(schedule, path, ['steps', 'epochs'], violations);
    checkLength(schedule, path, isTimed, violations);
  }
  if (schedule.restarts) {
    checkSettings(restarts, schedule.restarts as Draft, `${path}.restarts`, violations);
  }
}

function checkLength(schedule: ScheduleDraft, path: string, isTimed: boolean, violations: Violations): void {
  const isGiven = schedule.steps !== undefined || schedule.epochs !== undefined;
  if (!isGiven && (isTimed || schedule.type === 'step' || schedule.type === 'exponential')) {
    const reason = isTimed ? ', since `spec.seconds` alone does not say how many steps there will be' : '';
    violations.add(`${path}.steps`, `Expected \`${path}.steps\` or \`${path}.epochs\` to be set${reason}.`);
  }
}

function checkNotBoth(given: Draft, path: string, [steps, inEpochs]: [string, string], violations: Violations): void {
  if (given[steps] !== undefined && given[inEpochs] !== undefined) {
    const [one, other] = [steps, inEpochs].map((name) => `\`${path}.${snakeCase(name)}\``);
    violations.add(`${path}.${snakeCase(inEpochs)}`, `Expected only one of ${one} and ${other} to be set.`);
  }
}

/** The schedule with its lengths in steps. @param learningRate of the optimizer */
export function resolveSchedule(
  draft: ScheduleDraft | null,
  { stepsPerEpoch, steps }: TrainingLength,
  learningRate: number,
): Schedule | null {
  if (draft === null) {
    return null;
  }
  const inSteps = (given: unknown, minimum: number) =>
    Math.min(Math.max(Math.round((given as number) * stepsPerEpoch), minimum), Number.MAX_SAFE_INTEGER);
  const { type, warmupSteps, warmupEpochs } = draft;
  const rising = (warmupSteps as number | undefined) ?? inSteps(warmupEpochs ?? 0, 0);
  const resolved: Record<string, unknown> = { type, warmupSteps: rising, ...withDefaults(schedules[type], draft) };
  if (lengthOf(type)) {
    const shortest = type === 'oneCycle' ? 2 : 1;
    const rest = Math.max((steps ?? 0) - rising, shortest);
    resolved.steps = draft.steps ?? (draft.epochs === undefined ? rest : inSteps(draft.epochs, shortest));
  }
  if (type === 'oneCycle') {
    resolved.maximumRate ??= learningRate;
  }
  if (draft.restarts) {
    resolved.restarts = withDefaults(restarts, draft.restarts as Draft);
  }
  return resolved as unknown as Schedule;
}
