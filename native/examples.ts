import { keepInPlace } from './arrays-in-place.js';
import { MappedArray, mappedRegion } from './mapped-array.js';
import type { Examples, FeatureBlock } from './spec.js';

/** For as long as the engine may read them. */
export function keepExamplesInPlace(examples: Examples): void {
  keepInPlace(arraysOf(examples));
}

/** The examples as the addon takes them: with regions of mapped files in the place of mapped arrays. */
export function withRegions(examples: Examples): Examples {
  if (!arraysOf(examples).some(([, array]) => array instanceof MappedArray)) return examples;
  const region = <T>(array: T): T => (array instanceof MappedArray ? (mappedRegion(array) as T) : array);
  const blockWithRegion = (block: FeatureBlock) =>
    block?.data instanceof MappedArray ? ({ ...block, data: region(block.data) } as FeatureBlock) : block;
  const { features: blocks } = examples;
  const features = Array.isArray(blocks) ? Array.from(blocks, blockWithRegion) : blocks;
  return { ...examples, features, targets: region(examples.targets) };
}

/** Examples that have been found trainable: they are not scanned again every epoch. */
export class CheckedExamples {
  readonly #byTargets = new WeakMap<object, unknown[]>();

  add(examples: Examples): void {
    this.#byTargets.set(examples.targets, valuesOf(examples));
  }

  has(examples: Examples): boolean {
    const known = this.#byTargets.get(examples?.targets);
    const given = valuesOf(examples);
    return known !== undefined && known.length === given.length && known.every((array, i) => array === given[i]);
  }
}

function valuesOf(examples: Examples): unknown[] {
  const arrays = arraysOf(examples).map(([, array]) => array);
  return [...arrays, ...Array.from(examples?.features ?? [], (block) => [block?.scale, block?.offset]).flat()];
}

/** Every array with its name, as far as there are any. */
function arraysOf(examples: Examples): [field: string, array: unknown][] {
  const blocks: unknown = examples?.features;
  // `map` would leave out what a sparse array leaves out.
  const features = Array.from(Array.isArray(blocks) ? blocks : [], (block, index): [string, unknown] => [
    `features[${index}].data`,
    block?.data,
  ]);
  return [...features, ['targets', examples?.targets], ['weights', examples?.weights]];
}
