import type { LayerSpec as EngineLayer, NetworkSpec } from '../../native/index.js';
import type { LayerSpec } from './training-spec.js';

/** What a layer makes of its inputs, and what it learns for that. */
export interface LayerShape {
  /** As in the names of its tensors: `0`, or `2.layers.0` within a block. */
  place: string;
  type: LayerSpec['type'];
  outputs: number;
  /** Numbers that it learns, those of layers within it not included. */
  parameterCount: number;
}

/** The layers one by one, those of a block before the block itself. */
export function layerShapes(inputs: number, layers: LayerSpec[], within = ''): LayerShape[] {
  const shapes: LayerShape[] = [];
  let width = inputs;
  for (const [i, layer] of layers.entries()) {
    const place = `${within}${i}`;
    if (layer.type === 'residual') {
      shapes.push(...layerShapes(width, layer.layers, `${place}.layers.`));
    }
    const outputs = outputsOf(layer, width);
    shapes.push({ place, type: layer.type, outputs, parameterCount: parametersOf(layer, width) });
    width = outputs;
  }
  return shapes;
}

function outputsOf(layer: LayerSpec, inputs: number): number {
  switch (layer.type) {
    case 'dense':
      return layer.units;
    case 'embedding':
      return layer.tables.reduce((sum, { units }) => sum + units, inputs - layer.tables.length);
    default:
      return inputs;
  }
}

function parametersOf(layer: LayerSpec, inputs: number): number {
  switch (layer.type) {
    case 'dense':
      return (inputs + (layer.useBias === false ? 0 : 1)) * layer.units;
    case 'embedding':
      return layer.tables.reduce((sum, { units, categories }) => sum + units * categories, 0);
    case 'prelu':
      return inputs;
    case 'batchNormalization':
    case 'layerNormalization':
      return 2 * inputs;
    case 'activation':
    case 'dropout':
    case 'residual':
      return 0;
  }
}

/** All that a network learns. */
export function parameterCount(inputs: number, layers: LayerSpec[]): number {
  return layerShapes(inputs, layers).reduce((sum, shape) => sum + shape.parameterCount, 0);
}

/** A block whose end is not as wide as its beginning. */
export interface UnevenBlock {
  /** `spec.network.layers[2].residual.layers` */
  field: string;
  inputs: number;
  outputs: number;
}

export function unevenBlocks(inputs: number, layers: LayerSpec[], field = 'spec.network.layers'): UnevenBlock[] {
  const found: UnevenBlock[] = [];
  let width = inputs;
  for (const [i, layer] of layers.entries()) {
    if (layer.type === 'residual') {
      const path = `${field}[${i}].residual.layers`;
      found.push(...unevenBlocks(width, layer.layers, path));
      const outputs = layer.layers.reduce((columns, inner) => outputsOf(inner, columns), width);
      if (outputs !== width) {
        found.push({ field: path, inputs: width, outputs });
      }
    }
    width = outputsOf(layer, width);
  }
  return found;
}

/** The network in the words of the engine, and of `network.json`. */
export function toNetworkSpec(inputs: number, layers: LayerSpec[]): NetworkSpec {
  return { inputs, layers: layers.map(toEngineLayer) };
}

function toEngineLayer(layer: LayerSpec): EngineLayer {
  switch (layer.type) {
    case 'residual':
      return { type: 'residual', layers: layer.layers.map(toEngineLayer) };
    case 'embedding': {
      const tables = layer.tables.map(({ feature, categories, units }) => ({ column: feature, categories, units }));
      return { type: 'embedding', tables };
    }
    default:
      return layer;
  }
}
