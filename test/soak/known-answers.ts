import { directAnswer, seedNetwork } from '../bench/serving/networks.js';
import { bytesOf, seedInputs, seedOutputs, testImages } from '../bench/serving/requests.js';

const rowCount = 512;
const outputBytes = seedOutputs * Float32Array.BYTES_PER_ELEMENT;

/** Neighbouring rows of the images that all clients ask about. */
export interface Rows {
  first: number;
  count: number;
}

/**
 * What the versions of the model answer, asked directly. A version's number tells which of two networks it is: odd ones are drawn from
 * seed 1, even ones from seed 2.
 */
export class KnownAnswers {
  readonly inputs = testImages(rowCount);
  readonly #bySeed: Buffer[];

  constructor() {
    this.#bySeed = [1, 2].map((seed) => bytesOf(directAnswer(seedNetwork, seed, this.inputs)));
  }

  static seedOf(version: number): number {
    return version % 2 === 1 ? 1 : 2;
  }

  pick(countMax: number): Rows {
    const count = 1 + Math.floor(Math.random() * countMax);
    return { count, first: Math.floor(Math.random() * (rowCount - count)) };
  }

  inputOf({ first, count }: Rows): Float32Array {
    return this.inputs.subarray(first * seedInputs, (first + count) * seedInputs);
  }

  /** Whether these are the very bits. */
  isRight(version: string, { first, count }: Rows, output: Uint8Array): boolean {
    const answers = this.#bySeed[KnownAnswers.seedOf(Number(version)) - 1]!;
    return answers.subarray(first * outputBytes, (first + count) * outputBytes).equals(output);
  }
}
