import type { TrainerOptions } from './spec.js';

type Defaults = Record<string, unknown>;

const adam = { learningRate: 0.001, beta1: 0.9, beta2: 0.999, epsilon: 1e-7, amsgrad: false, weightDecay: 0 };

/** Keras's. `undefined`: no default, the field has to be given. */
const optimizers: Record<string, Defaults> = {
  gradientDescent: { learningRate: undefined, weightDecay: 0 },
  sgd: { learningRate: undefined, momentum: 0, nesterov: false, weightDecay: 0 },
  adam,
  adamW: { ...adam, weightDecay: 0.004 },
  rmsprop: { learningRate: 0.001, rho: 0.9, momentum: 0, epsilon: 1e-7, centered: false, weightDecay: 0 },
  adagrad: { learningRate: 0.001, initialAccumulator: 0.1, epsilon: 1e-7, weightDecay: 0 },
  adadelta: { learningRate: 0.001, rho: 0.95, epsilon: 1e-7, weightDecay: 0 },
  lion: { learningRate: 0.001, beta1: 0.9, beta2: 0.99, weightDecay: 0 },
};

const schedules: Record<string, Defaults> = {
  constant: { warmupSteps: 0 },
  step: { warmupSteps: 0, steps: undefined, factor: undefined },
  exponential: { warmupSteps: 0, steps: undefined, factor: undefined, staircase: false },
  polynomial: { warmupSteps: 0, steps: undefined, endRate: 1e-4, power: 1, cycle: false },
  cosine: { warmupSteps: 0, steps: undefined, alpha: 0, restarts: null },
  oneCycle: {
    warmupSteps: 0,
    steps: undefined,
    maximumRate: undefined,
    risingShare: 0.3,
    annealing: 'cosine',
    initialDivisor: 25,
    finalDivisor: 1e4,
    threePhases: false,
  },
  plateau: {
    warmupSteps: 0,
    factor: 0.1,
    patience: 10,
    minimumDelta: 1e-4,
    cooldown: 0,
    minimumRate: 0,
    mode: 'minimum',
  },
};

/** What the optimizer's state depends on, complete: a checkpoint holds it, and only goes on under the same. */
export type OptimizationOptions = Pick<
  TrainerOptions,
  'optimizer' | 'schedule' | 'regularization' | 'clipping' | 'averaging'
>;

/** Fills in the defaults. What is wrong, unknown fields included, stays as it is for the binding to refuse. */
export function completed(options: TrainerOptions): TrainerOptions {
  if (!isObject(options)) return options;
  const schedule = filled(options.schedule, byType(options.schedule, schedules)) ?? null;
  if (isObject(schedule) && isObject(schedule.restarts)) {
    schedule.restarts = filled(schedule.restarts, { lengthFactor: 2, rateFactor: 1 });
  }
  return {
    ...options,
    optimizer: filled(options.optimizer, byType(options.optimizer, optimizers)),
    schedule,
    regularization: filled(options.regularization, { l1: 0, l2: 0 }) ?? null,
    clipping: filled(options.clipping, {}) ?? null,
    averaging: filled(options.averaging, { decay: 0.99 }) ?? null,
  } as TrainerOptions;
}

/** Of completed options. */
export function optimizationOf(options: TrainerOptions): OptimizationOptions {
  const { optimizer, schedule, regularization, clipping, averaging } = options;
  return { optimizer, schedule, regularization, clipping, averaging };
}

/** `optimizer.beta1 is 0.9, not 0.8`, for every number or text in which `found` differs from `expected`. */
export function differences(found: unknown, expected: unknown, path = ''): string[] {
  if (isObject(found) && isObject(expected)) {
    if (found.type !== expected.type) return differences(found.type, expected.type, join(path, 'type'));
    const names = new Set([...Object.keys(found), ...Object.keys(expected)]);
    return [...names].flatMap((name) => differences(found[name], expected[name], join(path, name)));
  }
  return JSON.stringify(found) === JSON.stringify(expected)
    ? []
    : [`${path} is ${JSON.stringify(found)}, not ${JSON.stringify(expected)}`];
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`;
}

function byType(spec: unknown, table: Record<string, Defaults>): Defaults {
  const type = isObject(spec) ? spec.type : null;
  return typeof type === 'string' && Object.hasOwn(table, type) ? { type, ...table[type] } : {};
}

function filled(spec: unknown, defaults: Defaults): unknown {
  if (!isObject(spec)) return spec;
  const given = Object.entries(spec).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(given) };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
