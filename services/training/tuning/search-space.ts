/** What a parameter may be. Bounds belong to the range. */
export type SearchRange =
  | { type: 'uniform'; low: number; high: number }
  /** Each factor is as likely as any other: `low` is greater than 0. */
  | { type: 'logUniform'; low: number; high: number }
  /** `low`, `low + step` and so on; with `log`, `low` is at least 1 and `step` is 1. */
  | { type: 'integer'; low: number; high: number; step: number; log: boolean }
  | { type: 'choice'; options: readonly Value[] };

export type Value = string | number | boolean;

/** A parameter is there only while another one has a value like this. */
export type Condition =
  | { parameter: string; oneOf: readonly Value[] }
  /** A number from here on. */
  | { parameter: string; atLeast: number };

export interface Parameter {
  name: string;
  range: SearchRange;
  /** All of them must hold; each names a parameter that stands before this one in the space. */
  when: readonly Condition[];
}

export type SearchSpace = readonly Parameter[];

/** Values of the parameters that are there. */
export type Assignment = Readonly<Record<string, Value>>;

/** Whether a parameter is there beside these values. */
export function isActive({ when }: Parameter, values: Assignment): boolean {
  return when.every((condition) => {
    const value = values[condition.parameter];
    if (value === undefined) {
      return false;
    }
    return 'oneOf' in condition ? condition.oneOf.includes(value) : Number(value) >= condition.atLeast;
  });
}

/** A value for each parameter that is there, in the order of the space. */
export function assign(space: SearchSpace, draw: (parameter: Parameter, index: number) => Value): Assignment {
  const values: Record<string, Value> = {};
  for (const [index, parameter] of space.entries()) {
    if (isActive(parameter, values)) {
      values[parameter.name] = draw(parameter, index);
    }
  }
  return values;
}

/** The value at a share of the range, from 0 to 1 without 1; equal shares are equally likely. */
export function valueAt(range: SearchRange, share: number): Value {
  if (range.type === 'choice') {
    return range.options[Math.floor(share * range.options.length)]!;
  }
  const { low, high } = scaleOf(range);
  return fromScale(range, low + share * (high - low));
}

export type NumberRange = Exclude<SearchRange, { type: 'choice' }>;

/** Where kernels of a density live: logarithms where factors count, and of integers half a step beyond the first and the last. */
export function scaleOf(range: NumberRange): { low: number; high: number } {
  const half = stepOf(range) / 2;
  const [low, high] = [range.low - half, range.high + half];
  return isLog(range) ? { low: Math.log(low), high: Math.log(high) } : { low, high };
}

/** A value's place on the scale of its range. */
export function toScale(range: NumberRange, value: number): number {
  return isLog(range) ? Math.log(value) : value;
}

/** The allowed value nearest to a place on the scale. */
export function fromScale(range: NumberRange, place: number): number {
  const plain = isLog(range) ? Math.exp(place) : place;
  const step = stepOf(range);
  const rounded = step === 0 ? plain : range.low + Math.round((plain - range.low) / step) * step;
  const highest = step === 0 ? range.high : range.low + Math.floor((range.high - range.low) / step) * step;
  return Math.min(Math.max(rounded, range.low), highest);
}

/** Between neighbouring values; 0 where there are none. */
export function stepOf(range: NumberRange): number {
  return range.type === 'integer' ? range.step : 0;
}

function isLog(range: NumberRange): boolean {
  return range.type === 'logUniform' || (range.type === 'integer' && range.log);
}
