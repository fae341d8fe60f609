import { addon, type MappedArrayHandle } from './addon.js';
import { invalidArgument } from './engine-error.js';
import type { ElementType } from './spec.js';

/** What the addon takes for a mapped array: `length` numbers from number `first` on. */
interface MappedRegion {
  mapped: MappedArrayHandle;
  first: number;
  length: number;
}

let regionOf: (array: MappedArray) => MappedRegion;

/** For examples.ts only. */
export function mappedRegion(array: MappedArray): MappedRegion {
  return regionOf(array);
}

/**
 * Numbers in a file, row-major and little-endian, read where they lie: the system brings in the pages that are needed and
 * drops them when memory is short, so that a dataset may be larger than memory. It stands wherever features and targets
 * take a typed array.
 *
 * The file must keep its length while it is open. One that has become shorter is refused when a call begins; cut short
 * during a call it ends the process with SIGBUS, as with every mapped file. Replace a file by renaming another over it:
 * the mapping keeps the old one.
 */
export class MappedArray {
  readonly type: ElementType;
  /** Of the first number in the file. */
  readonly byteOffset: number;
  /** In numbers. */
  readonly length: number;
  readonly #region: MappedRegion;

  static {
    regionOf = (array) => MappedArray.#of(array).#region;
  }

  private constructor(type: ElementType, byteOffset: number, region: MappedRegion) {
    this.type = type;
    this.byteOffset = byteOffset;
    this.length = region.length;
    this.#region = region;
  }

  /**
   * Refuses with INVALID_ARGUMENT what is no readable regular file, a `byteOffset` (default 0) that is not a multiple of
   * the type's size or lies behind the end, and a file too short for `length` numbers (default: all that follow).
   */
  static open(
    path: string,
    type: ElementType,
    { byteOffset = 0, length = null }: { byteOffset?: number; length?: number | null } = {},
  ): MappedArray {
    const mapped = new addon.MappedArrayHandle(path, type, byteOffset, length);
    return new MappedArray(type, byteOffset, { mapped, first: 0, length: mapped.length() });
  }

  /** A view of numbers `begin` to `end` of the same mapping, which stays one: closing either closes both. */
  subarray(begin: number, end: number): MappedArray {
    const { mapped, first, length } = MappedArray.#of(this).#region;
    const isWithin = Number.isSafeInteger(begin) && Number.isSafeInteger(end) && 0 <= begin && begin <= end;
    if (!isWithin || end > length) {
      throw invalidArgument('begin', `Expected a part of ${length} numbers but received ${begin} to ${end}.`);
    }
    const byteOffset = this.byteOffset + begin * bytesPerElement[this.type];
    return new MappedArray(this.type, byteOffset, { mapped, first: first + begin, length: end - begin });
  }

  /** Refused with FAILED_PRECONDITION while a call is reading it. A second call does nothing. */
  close(): void {
    MappedArray.#of(this).#region.mapped.close();
  }

  static #of(array: MappedArray): MappedArray {
    if (typeof array === 'object' && array !== null && #region in array) return array;
    throw invalidArgument('mappedArray', 'Expected a MappedArray.');
  }
}

const bytesPerElement = { uint8: 1, float16: 2, float32: 4, int32: 4 };
