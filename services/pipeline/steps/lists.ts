import type { MappingStep } from '../step.js';
import { type ListType, numberValues } from '../values.js';

/** A step that turns each list into another. `map` writes `output.width` numbers from place `at` of `target` on. */
export function mapLists(
  input: ListType,
  output: ListType,
  map: (list: Float64Array, target: Float64Array, at: number) => void,
): MappingStep {
  return {
    output,
    apply(column) {
      const source = column.values as Float64Array;
      const rows = source.length / input.width;
      const target = new Float64Array(rows * output.width);
      for (let row = 0; row < rows; row++) {
        map(source.subarray(row * input.width, (row + 1) * input.width), target, row * output.width);
      }
      return numberValues(target, output.width, column.kind === 'numbers' ? column.missing : null);
    },
  };
}
