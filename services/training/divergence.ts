import { EngineError, type OptimizerSpec, type Schedule } from '../../native/index.js';
import { ServiceError } from '../platform/errors.js';

/** How often a training that diverges goes back, and what its learning rates are multiplied by each time. */
export interface DivergenceRule {
  retries: number;
  learningRateFactor: number;
}

/** What a spec says of learning rates. */
interface Rates {
  optimizer: OptimizerSpec;
  schedule: Schedule | null;
}

const rates = ['learningRate', 'maximumRate', 'endRate', 'minimumRate'];

/** @param what is no number any more, in words */
export function divergence(step: number, what: string): ServiceError {
  const message = `Training diverged: after step ${step} ${what}. Lower the learning rate, or scale the features.`;
  return new ServiceError('FAILED_PRECONDITION', 'DIVERGED', message);
}

export function isDivergence(error: unknown): error is EngineError | ServiceError {
  return (
    (error instanceof EngineError && error.code === 'DIVERGED') ||
    (error instanceof ServiceError && error.reason === 'DIVERGED')
  );
}

/** All learning rates of a spec times `factor`: the whole course that a schedule takes. */
export function scaledRates({ optimizer, schedule }: Rates, factor: number): Rates {
  return { optimizer: scaled(optimizer, factor), schedule: schedule && scaled(schedule, factor) };
}

function scaled<Settings extends object>(settings: Settings, factor: number): Settings {
  const entries = Object.entries(settings).map(([name, value]) => [
    name,
    rates.includes(name) ? value * factor : value,
  ]);
  return Object.fromEntries(entries) as Settings;
}
