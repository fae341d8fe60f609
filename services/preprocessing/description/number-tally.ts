import type { ColumnChunk } from '../../pipeline/index.js';
import type { Column } from '../column.js';
import { type OrderedKeys, orderedKeys } from '../ordered-keys.js';
import { countFirstDigits, selectRanks } from '../rank-selection.js';
import type { ColumnStatistics, ColumnTally, NumberStatistics, TopValue } from './column-statistics.js';
import { Histogram } from './histogram.js';
import { Moments } from './moments.js';
import { quantilePlaces, quantilesOf } from './quantiles.js';
import { mostFrequent, Recount } from './top-values.js';
import { type CountedValue, ValueCounts } from './value-counts.js';
import { type KeyMeaning, keyMeaning, presentNumbers, toFloat64 } from './value-reader.js';
import { ValueSample } from './value-sample.js';

const binsMax = 20;

/** Gathers numbers, truth values and times. */
export class NumberTally implements ColumnTally {
  readonly counts = new ValueCounts();
  readonly #moments = new Moments();
  readonly #firstDigits = new Uint32Array(0x1_0000);
  readonly #sample = new ValueSample();
  readonly #meaning: KeyMeaning;

  constructor(column: Column) {
    this.#meaning = keyMeaning(column);
  }

  add(chunk: ColumnChunk): void {
    const values = presentNumbers(chunk)!;
    const numbers = toFloat64(values);
    this.#moments.add(numbers);
    this.#sample.add(numbers);
    if (values.BYTES_PER_ELEMENT === 1) {
      this.#addBytes(numbers);
      return;
    }
    const keys = orderedKeys(values);
    countFirstDigits(keys, this.#firstDigits);
    for (let i = 0; i < values.length; i++) {
      this.counts.add(keys.low[i]!, keys.high[i]!, 1);
    }
  }

  /** Images have many bytes and few values: they are counted first. */
  #addBytes(numbers: Float64Array): void {
    const least = -128;
    const counts = new Uint32Array(384);
    for (const value of numbers) {
      counts[value - least]!++;
    }
    const { low, high } = orderedKeys(Float64Array.from(counts, (_, i) => i + least));
    for (const [i, count] of counts.entries()) {
      if (count > 0) {
        this.counts.add(low[i]!, high[i]!, count);
      }
    }
  }

  async finish(again: () => AsyncIterable<ColumnChunk>): Promise<Partial<ColumnStatistics>> {
    const { count, minimum, maximum, mean, deviation } = this.#moments;
    if (count === 0) {
      return { count };
    }
    const histogram = new Histogram(minimum, maximum, binsMax);
    const { quantiles, topValues } = this.counts.isExact
      ? this.#fromCounts(histogram)
      : await this.#fromSecondPass(histogram, again);
    const numbers: NumberStatistics = {
      minimum,
      maximum,
      mean,
      deviation,
      quantiles,
      histogram: { edges: [...histogram.edges], counts: [...histogram.counts] },
    };
    return { count, numbers, topValues, partLimits: this.#sample.limits() };
  }

  /** All values with their counts are there. */
  #fromCounts(histogram: Histogram): { quantiles: number[]; topValues: TopValue[] } {
    const { count } = this.#moments;
    const values = [...this.counts.values()];
    values.sort((a, b) => a.high - b.high || a.low - b.low);
    const places = quantilePlaces(count);
    const atPlaces = new Array<number>(places.length);
    let before = 0;
    for (const { low, high, count } of values) {
      const number = this.#meaning.toNumber(low, high);
      histogram.add(number, count);
      for (const [i, place] of places.entries()) {
        if (place >= before && place < before + count) {
          atPlaces[i] = number;
        }
      }
      before += count;
    }
    return { quantiles: quantilesOf(count, atPlaces), topValues: this.#topValues(values) };
  }

  async #fromSecondPass(histogram: Histogram, again: () => AsyncIterable<ColumnChunk>) {
    const recount = new Recount(this.counts);
    let isFirst = true;
    const batches = async function* (): AsyncGenerator<OrderedKeys> {
      const isSecondPass = isFirst;
      isFirst = false;
      for await (const chunk of again()) {
        const values = presentNumbers(chunk)!;
        const keys = orderedKeys(values);
        if (isSecondPass) {
          for (const value of toFloat64(values)) {
            histogram.add(value);
          }
          recount.add(keys);
        }
        yield keys;
      }
    };
    const { count } = this.#moments;
    const found = await selectRanks(batches, quantilePlaces(count), this.#firstDigits);
    const atPlaces = found.map(({ low, high }) => this.#meaning.toNumber(low, high));
    return { quantiles: quantilesOf(count, atPlaces), topValues: this.#topValues(recount.values()) };
  }

  #topValues(values: readonly CountedValue[]): TopValue[] {
    return mostFrequent(values).map(({ low, high, count }) => ({ value: this.#meaning.toText(low, high), count }));
  }
}
