import { FlatTable } from './flatbuffer.js';
import { malformedArrow } from './malformed-arrow.js';

/**
 * The message of a schema with only some of its columns, in the order given; everything that was said of a column stays with it.
 * @param header bare flatbuffer of the whole schema, whose columns have been decoded
 */
export function projectSchema(header: Uint8Array, columns: readonly number[]): Uint8Array {
  const projected = Uint8Array.from(header);
  const fields = FlatTable.root(projected).table(2)!.vector(1)!;
  const view = new DataView(projected.buffer);
  const entry = (index: number) => fields.start + 4 * index;
  // An offset points forward from where it stands, to a field that lies behind the whole list.
  const targets = columns.map((column) => entry(column) + view.getUint32(entry(column), true));
  for (const [i, target] of targets.entries()) {
    if (target < entry(targets.length)) {
      throw malformedArrow('a column of its schema lies within the list of columns');
    }
    view.setUint32(entry(i), target - entry(i), true);
  }
  view.setUint32(fields.start - 4, columns.length, true);
  return projected;
}
