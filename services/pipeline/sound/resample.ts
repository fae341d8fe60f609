/** Zero crossings of the sinc on each side, and the Kaiser window's beta: `scipy.signal.resample_poly`'s. */
const crossings = 10;
const beta = 5;

interface Filter {
  /** Output samples for `down` input samples, in lowest terms. */
  up: number;
  down: number;
  /** Coefficients on each side of the middle. */
  half: number;
  /** [up, taps]: the coefficients of each phase, one after the other. */
  phases: Float64Array;
  taps: number;
}

/**
 * Sound at another rate, cut or filled with silence to `length` samples: each is the sum of its neighbours under a sinc in a Kaiser
 * window, in phases (Crochiere and Rabiner 1983), as `scipy.signal.resample_poly` and `librosa.resample(res_type="polyphase")`.
 * @param from samples a second of `source`, `to` of the answer
 */
export function resample(source: Float64Array, from: number, to: number, length: number): Float64Array {
  const target = new Float64Array(length);
  if (from === to) {
    target.set(source.subarray(0, length));
    return target;
  }
  const { up, down, half, phases, taps } = filterOf(from, to);
  const count = Math.min(length, Math.ceil((source.length * up) / down));
  for (let k = 0; k < count; k++) {
    const time = k * down + half;
    const newest = Math.floor(time / up);
    const phase = (time % up) * taps;
    const first = Math.max(0, newest - source.length + 1);
    const end = Math.min(taps, newest + 1);
    target[k] = product(phases, phase, source, newest, first, end);
  }
  return target;
}

/** Sum of `a[at + i] * b[bAt - i]`, `i` from `first` to before `end`: four sums side by side, which need not wait for each other. */
function product(a: Float64Array, at: number, b: Float64Array, bAt: number, first: number, end: number): number {
  let sum0 = 0;
  let sum1 = 0;
  let sum2 = 0;
  let sum3 = 0;
  let i = first;
  for (; i + 3 < end; i += 4) {
    sum0 += a[at + i]! * b[bAt - i]!;
    sum1 += a[at + i + 1]! * b[bAt - i - 1]!;
    sum2 += a[at + i + 2]! * b[bAt - i - 2]!;
    sum3 += a[at + i + 3]! * b[bAt - i - 3]!;
  }
  for (; i < end; i++) {
    sum0 += a[at + i]! * b[bAt - i]!;
  }
  return sum0 + sum1 + (sum2 + sum3);
}

/** So many samples of the source have a part in the first `length` of the answer. */
export function samplesNeeded(from: number, to: number, length: number): number {
  return Math.ceil((length * from) / to) + Math.ceil(crossings * Math.max(1, from / to)) + 1;
}

/** Of the rates seen last; a file of an odd rate needs millions of coefficients, which are not kept. */
const filters = new Map<string, Filter>();
const filtersMax = 8;
const coefficientsKeptMax = 1024 * 1024;

function filterOf(from: number, to: number): Filter {
  const divisor = greatestCommonDivisor(from, to);
  const up = to / divisor;
  const down = from / divisor;
  const key = `${up}/${down}`;
  const known = filters.get(key);
  if (known) {
    return known;
  }
  const filter = makeFilter(up, down);
  if (filter.phases.length <= coefficientsKeptMax) {
    const [oldest] = filters.keys();
    if (filters.size >= filtersMax) {
      filters.delete(oldest!);
    }
    filters.set(key, filter);
  }
  return filter;
}

function makeFilter(up: number, down: number): Filter {
  const widest = Math.max(up, down);
  const half = crossings * widest;
  const sides = new Float64Array(half + 1);
  const edge = besselI0(beta);
  for (let i = 0; i <= half; i++) {
    const x = (Math.PI * i) / widest;
    const sinc = i === 0 ? 1 : Math.sin(x) / x;
    sides[i] = (sinc * besselI0(beta * Math.sqrt(1 - (i / half) ** 2))) / edge;
  }
  const sum = 2 * sides.subarray(1).reduce((total, value) => total + value, 0) + sides[0]!;
  const taps = Math.ceil((2 * half + 1) / up);
  const phases = new Float64Array(up * taps);
  for (let i = 0; i <= 2 * half; i++) {
    phases[(i % up) * taps + Math.floor(i / up)] = (sides[Math.abs(i - half)]! / sum) * up;
  }
  return { up, down, half, phases, taps };
}

/** Modified Bessel function of the first kind, order 0 (Abramowitz and Stegun 1964, 9.6.12); x up to 5. */
function besselI0(x: number): number {
  const quarter = (x * x) / 4;
  let term = 1;
  let sum = 1;
  for (let k = 1; term > sum * 1e-17; k++) {
    term *= quarter / (k * k);
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
