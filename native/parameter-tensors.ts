import type { TensorShape } from './addon.js';
import { invalidArgument } from './engine-error.js';
import type { Tensor } from './safetensors.js';

/** Each tensor with where it begins and ends in a flat parameter array. */
function placesOf(shapes: TensorShape[]) {
  let end = 0;
  return shapes.map(({ name, shape }) => {
    const begin = end;
    end += shape.reduce((product, length) => product * length, 1);
    return { name, shape, begin, end };
  });
}

/** Views of `flat`, named `prefix` + `layers.0.kernel` and so on. */
export function toTensors(shapes: TensorShape[], flat: Float32Array, prefix: string): Map<string, Tensor> {
  return new Map(
    placesOf(shapes).map(({ name, shape, begin, end }) => [prefix + name, { shape, data: flat.subarray(begin, end) }]),
  );
}

/** The flat array of the tensors under `prefix`, refused as by `tensorOf`. */
export function fromTensors(shapes: TensorShape[], tensors: Map<string, Tensor>, prefix: string): Float32Array {
  const places = placesOf(shapes);
  const flat = new Float32Array(places.at(-1)?.end ?? 0);
  for (const { name, shape, begin } of places) {
    flat.set(tensorOf(tensors, prefix + name, shape).data, begin);
  }
  return flat;
}

/** The tensor of a name. Refuses a missing one or a wrong shape by its name. */
export function tensorOf<T extends { shape: number[] }>(tensors: Map<string, T>, name: string, shape: number[]): T {
  const tensor = tensors.get(name);
  if (tensor === undefined) {
    throw invalidArgument(name, `Expected tensor \`${name}\` but the file does not hold it.`);
  }
  if (tensor.shape.length !== shape.length || tensor.shape.some((length, axis) => length !== shape[axis])) {
    throw invalidArgument(
      name,
      `Expected tensor \`${name}\` to have shape [${shape.join(', ')}] but received [${tensor.shape.join(', ')}].`,
    );
  }
  return tensor;
}

/** Refuses tensors that nobody asked for: a file with more than the network is another network's file. */
export function expectNoOthers(shapes: TensorShape[], tensors: Map<string, unknown>, prefixes: string[]): void {
  const known = new Set(prefixes.flatMap((prefix) => placesOf(shapes).map(({ name }) => prefix + name)));
  for (const name of tensors.keys()) {
    if (!known.has(name)) throw invalidArgument(name, `The network has no place for tensor \`${name}\`.`);
  }
}
