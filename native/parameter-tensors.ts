import { invalidArgument } from './engine-error.js';
import type { Tensor } from './safetensors.js';
import type { NetworkSpec } from './spec.js';

interface TensorPlace {
  name: string;
  shape: number[];
  begin: number;
  end: number;
}

/** Where each tensor lies in a flat parameter array: per layer the kernel [in, units], then the bias [units]. */
function placesOf(spec: NetworkSpec): TensorPlace[] {
  const places: TensorPlace[] = [];
  let begin = 0;
  let inner = spec.inputs;
  for (const [index, { units }] of spec.layers.entries()) {
    const kernelEnd = begin + inner * units;
    places.push({ name: `layers.${index}.kernel`, shape: [inner, units], begin, end: kernelEnd });
    places.push({ name: `layers.${index}.bias`, shape: [units], begin: kernelEnd, end: kernelEnd + units });
    begin = kernelEnd + units;
    inner = units;
  }
  return places;
}

/** Views of `flat`, named `prefix` + `layers.0.kernel` and so on. */
export function toTensors(spec: NetworkSpec, flat: Float32Array, prefix: string): Map<string, Tensor> {
  return new Map(
    placesOf(spec).map(({ name, shape, begin, end }) => [prefix + name, { shape, data: flat.subarray(begin, end) }]),
  );
}

/** The flat array of the tensors under `prefix`. Refuses a missing tensor or a wrong shape by its name. */
export function fromTensors(spec: NetworkSpec, tensors: Map<string, Tensor>, prefix: string): Float32Array {
  const places = placesOf(spec);
  const flat = new Float32Array(places.at(-1)?.end ?? 0);
  for (const { name, shape, begin } of places) {
    const tensor = tensors.get(prefix + name);
    if (tensor === undefined) {
      throw invalidArgument(prefix + name, `Expected tensor \`${prefix + name}\` but the file does not hold it.`);
    }
    if (tensor.shape.length !== shape.length || tensor.shape.some((length, axis) => length !== shape[axis])) {
      throw invalidArgument(
        prefix + name,
        `Expected tensor \`${prefix + name}\` to have shape [${shape.join(', ')}] but received ` +
          `[${tensor.shape.join(', ')}].`,
      );
    }
    flat.set(tensor.data, begin);
  }
  return flat;
}

/** Refuses tensors that nobody asked for: a file with more than the network is another network's file. */
export function expectNoOthers(spec: NetworkSpec, tensors: Map<string, Tensor>, prefixes: string[]): void {
  const known = new Set(prefixes.flatMap((prefix) => placesOf(spec).map(({ name }) => prefix + name)));
  for (const name of tensors.keys()) {
    if (!known.has(name)) throw invalidArgument(name, `The network has no place for tensor \`${name}\`.`);
  }
}
