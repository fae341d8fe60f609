import type { Metric } from '../contract-names.js';
import type { SearchSpace, Value } from './search-space.js';

export type SearchMethod = 'random' | 'sobol' | 'tpe';
export type StopEarly = 'none' | 'asha' | 'hyperband' | 'median';
/** Measured on the validation rows. */
export type Objective = Extract<Metric, `validation${string}`>;

/** How a search is done, checked and with defaults: what `TuneSpec` is on the wire. */
export interface TuneSpec {
  space: SearchSpace;
  /** The space as it came. */
  spaceMessage: object;
  method: SearchMethod;
  /** Most trials. */
  trials: number;
  /** Trials at once. */
  parallel: number;
  objective: Objective;
  stopEarly: StopEarly;
  /** Time of the whole; null: until all trials are done. */
  seconds: number | null;
  seed: number;
  asha: Asha;
  hyperband: HyperbandSettings;
}

export interface Asha {
  minimumValidations: number;
  reductionFactor: number;
}

export interface HyperbandSettings {
  /** Of a trial that comes to its end. 0 unless that is how trials are stopped: it may not be known. */
  maximumValidations: number;
  reductionFactor: number;
}

/** As it came: null or 0 stands for what was left out; undefined: a name without meaning. */
export interface TuneDraft {
  space: Readonly<Record<string, RangeDraft>>;
  spaceMessage: object;
  method: SearchMethod | null;
  trials: number;
  parallel: number;
  objective: string | null;
  stopEarly: StopEarly | null;
  seconds: number;
  seed: number;
  asha: Asha | null;
  hyperband: HyperbandSettings | null;
}

export interface RangeDraft {
  /** Null: no kind was set. */
  type: 'uniform' | 'logUniform' | 'integer' | 'choice' | null;
  low: number;
  high: number;
  step: number;
  log: boolean;
  /** Null in place of an empty one. */
  options: readonly (Value | null)[];
  when: readonly { path: string; oneOf: readonly (Value | null)[] }[];
}
