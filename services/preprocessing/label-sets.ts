import {
  type ColumnChunk,
  type FittedLabels,
  firstMissing,
  gatherTexts,
  isValid,
  type ListChunk,
  listStart,
} from '../pipeline/index.js';
import { gatherLabels, invalidLabel, unknownClass, where } from './label.js';

/** Where a column of several classes a row is read. `firstRow`: rows of the table before the chunk. */
interface Place {
  column: string;
  firstRow: number;
}

/** The classes of some rows, of a column of lists of text or of text that `separator` parts. @throws ServiceError for a missing list */
export function readLabelSets(
  chunk: ColumnChunk,
  separator: string | undefined,
  rows: Int32Array,
  place: Place,
): readonly string[][] {
  if (chunk.kind === 'list') {
    return Array.from(rows, (row) => listOf(chunk, row, place));
  }
  if (separator === undefined || (chunk.kind !== 'text' && chunk.kind !== 'dictionary')) {
    throw new Error(`the label is checked to be lists or parted text, but is ${chunk.kind}`);
  }
  // A missing text is empty, as in pandas' get_dummies: files of CSV have no other way to say so.
  return gatherTexts(chunk, rows).map((text) =>
    (text ?? '')
      .split(separator)
      .map((part) => part.trim())
      .filter((part) => part !== ''),
  );
}

function listOf(chunk: ListChunk, row: number, place: Place): string[] {
  if (!isValid(chunk.validity, row)) {
    throw missingLabel(place, row);
  }
  const begin = listStart(chunk, row);
  const items = Int32Array.from({ length: listStart(chunk, row + 1) - begin }, (_, i) => begin + i);
  const texts = gatherTexts(chunk.items as Parameters<typeof gatherTexts>[0], items);
  if (texts.includes(null)) {
    throw invalidLabel(
      `Expected every class to have a name but ${where(place.column, place.firstRow + row)} lists none.`,
    );
  }
  return texts as string[];
}

function missingLabel({ column, firstRow }: Place, row: number) {
  return invalidLabel(
    `Expected every row to have a label, though it may be of no class, but ${where(column, firstRow + row)} has none.`,
  );
}

/** Turns labels of any number of classes into targets: 0 or 1, float32 [rows, classes]. */
export class LabelSetEncoder {
  readonly #places: ReadonlyMap<string, number>;

  constructor(private readonly label: FittedLabels) {
    this.#places = new Map(label.classes.map((name, place) => [name, place]));
  }

  /** @param chunks of the label's columns; `rows`: indices into them */
  encode(chunks: readonly ColumnChunk[], rows: Int32Array, firstRow: number): Float32Array {
    const { columns, separator } = this.label;
    const first = chunks[0]!;
    return first.kind === 'number' || first.kind === 'boolean'
      ? this.#encodeFlags(chunks, rows, firstRow)
      : this.#encodeSets(readLabelSets(first, separator, rows, { column: columns[0]!, firstRow }), rows, firstRow);
  }

  #encodeSets(sets: readonly string[][], rows: Int32Array, firstRow: number): Float32Array {
    const { classes, columns } = this.label;
    const targets = new Float32Array(rows.length * classes.length);
    for (const [i, names] of sets.entries()) {
      for (const name of names) {
        const place = this.#places.get(name);
        if (place === undefined) {
          throw unknownClass(classes, columns[0]!, firstRow + rows[i]!, name);
        }
        targets[i * classes.length + place] = 1;
      }
    }
    return targets;
  }

  /** A column for each class. */
  #encodeFlags(chunks: readonly ColumnChunk[], rows: Int32Array, firstRow: number): Float32Array {
    const targets = new Float32Array(rows.length * chunks.length);
    for (const [place, chunk] of chunks.entries()) {
      const column = this.label.columns[place]!;
      const flags = gatherLabels(column, chunk, rows, firstRow);
      const missing = firstMissing(flags);
      if (missing >= 0) {
        throw missingLabel({ column, firstRow }, rows[missing]!);
      }
      for (const [i, flag] of (flags.values as Float64Array).entries()) {
        if (flag !== 0 && flag !== 1) {
          const at = where(column, firstRow + rows[i]!);
          throw invalidLabel(`Expected a column of a class to hold truth values, or 0 and 1, but ${at} holds ${flag}.`);
        }
        targets[i * chunks.length + place] = flag;
      }
    }
    return targets;
  }
}
