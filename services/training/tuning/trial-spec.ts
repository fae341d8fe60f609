import type { Assignment, Value } from './search-space.js';
import { findPath, readPath, type SpecPath, type Target, writePath } from './spec-path.js';

type Plain = Record<string, unknown>;

/** A place that a search gives a value to: one of the contract, or a name for several. */
export type Place =
  | ({ type: 'field' } & SpecPath)
  | { type: 'depth' | 'width' }
  /** The units of one dense layer before the last, once layers are repeated. */
  | { type: 'widthOf'; layer: number }
  /** A setting of whichever optimizer there is. */
  | { type: 'optimizer'; setting: string };

const optimizerSettings: Record<string, string> = {
  'optimizer.learning_rate': 'learningRate',
  'optimizer.weight_decay': 'weightDecay',
};
/** Names for several places of the contract, by where they stand. */
const besides = { optimizer: ['learning_rate', 'weight_decay'], network: ['depth', 'width'] };

/** @returns what is wrong with the name, in words, where it is none that can be searched */
export function findPlace(name: string): Place | string {
  const setting = optimizerSettings[name];
  if (setting) {
    return { type: 'optimizer', setting };
  }
  const [, part, index] = /^network\.(depth|width)(?:\[(\d+)\])?$/.exec(name) ?? [];
  if (part && index === undefined) {
    return { type: part as 'depth' | 'width' };
  }
  if (part === 'width') {
    return { type: 'widthOf', layer: Number(index) };
  }
  const found = findPath(name, besides);
  return typeof found === 'string' ? found : { type: 'field', ...found };
}

export function targetOf(place: Place): Target {
  return place.type === 'field' ? place.target : { type: place.type === 'optimizer' ? 'number' : 'integer' };
}

/** Which places come first: kinds before their settings, fields before the layers that hold them are repeated. */
const order: Record<Place['type'], number> = { field: 0, optimizer: 1, width: 2, depth: 3, widthOf: 4 };

function rank(place: Place): number {
  return place.type === 'field' && place.target.type === 'kind' ? -1 : order[place.type];
}

/** A training spec's message with a trial's values in it. */
export function trialSpec(spec: object, values: Assignment): object {
  const result = structuredClone(spec);
  const places = Object.entries(values).map(([name, value]) => {
    const place = findPlace(name);
    if (typeof place === 'string') {
      throw new Error(place);
    }
    return { place, value };
  });
  for (const { place, value } of places.sort((a, b) => rank(a.place) - rank(b.place))) {
    put(result, place, value);
  }
  return result;
}

function put(spec: object, place: Place, value: Value): void {
  const network = readPath(spec, ['network']) as { layers: Plain[] };
  switch (place.type) {
    case 'field':
      writePath(spec, place, value);
      break;
    case 'optimizer': {
      const kinds = Object.values(readPath(spec, ['optimizer']) ?? {});
      const kind = kinds.find((settings) => typeof settings === 'object' && settings !== null) as Plain;
      kind[place.setting] = value;
      break;
    }
    case 'width':
      for (const layer of denseLayers(hiddenLayers(network.layers))) {
        layer.units = value;
      }
      break;
    case 'depth': {
      const hidden = hiddenLayers(network.layers);
      const repeated = Array.from({ length: Number(value) }, () => structuredClone(hidden)).flat();
      network.layers.splice(network.layers.length - 1 - hidden.length, hidden.length, ...repeated);
      break;
    }
    case 'widthOf': {
      const layer = denseLayers(hiddenLayers(network.layers))[place.layer];
      // Of a layer that is not there, nothing is to be set: the depth of this trial is less.
      if (layer) {
        layer.units = value;
      }
    }
  }
}

/** What can be repeated: all but the last layer, and an embedding, which must be the first. */
export function hiddenLayers<Layer extends object>(layers: readonly Layer[]): Layer[] {
  const isEmbedded = Boolean((layers[0] as Plain | undefined)?.embedding);
  return layers.slice(isEmbedded ? 1 : 0, -1);
}

/** Those with units, also within residual blocks. */
export function denseLayers(layers: readonly object[]): Plain[] {
  return (layers as Plain[]).flatMap((layer) => {
    const { residual } = layer as { residual?: { layers: object[] } | null };
    return residual ? denseLayers(residual.layers) : layer.units ? [layer] : [];
  });
}
