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
  const filter = filterOf(from, to);
  const { up, down, half, taps } = filter;
  const count = Math.min(length, Math.ceil((source.length * up) / down));
  const newestOf = (k: number) => Math.floor((k * down + half) / up);
  const block = atOnce * up;
  for (let k = 0; k < count; k += block) {
    const end = k + block;
    // Most blocks have all their neighbours within the source.
    if (end <= count && newestOf(k) >= taps - 1 && newestOf(end - 1) < source.length) {
      writeBlock(filter, source, target, k);
    } else {
      writeOneByOne(filter, source, target, k, Math.min(end, count));
    }
  }
  return target;
}

/** Samples that are computed together: they have the same coefficients, `up` apart. */
const atOnce = 4;

/** `atOnce` times `up` samples from `start` on. Every coefficient is read once for all that have it. */
function writeBlock(
  { up, down, half, phases, taps }: Filter,
  source: Float64Array,
  target: Float64Array,
  start: number,
) {
  for (let k = start; k < start + up; k++) {
    const time = k * down + half;
    const at = (time % up) * taps;
    let from = Math.floor(time / up);
    let sum0 = 0;
    let sum1 = 0;
    let sum2 = 0;
    let sum3 = 0;
    for (let i = at; i < at + taps; i++, from--) {
      const coefficient = phases[i]!;
      sum0 += coefficient * source[from]!;
      sum1 += coefficient * source[from + down]!;
      sum2 += coefficient * source[from + 2 * down]!;
      sum3 += coefficient * source[from + 3 * down]!;
    }
    target[k] = sum0;
    target[k + up] = sum1;
    target[k + 2 * up] = sum2;
    target[k + 3 * up] = sum3;
  }
}

/** Samples from `start` to before `end`, of which some have neighbours beyond the source: those are silent. */
function writeOneByOne(
  { up, down, half, phases, taps }: Filter,
  source: Float64Array,
  target: Float64Array,
  start: number,
  end: number,
) {
  for (let k = start; k < end; k++) {
    const time = k * down + half;
    const newest = Math.floor(time / up);
    const at = (time % up) * taps;
    const last = Math.min(taps, newest + 1);
    let sum = 0;
    for (let i = Math.max(0, newest - source.length + 1); i < last; i++) {
      sum += phases[at + i]! * source[newest - i]!;
    }
    target[k] = sum;
  }
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
