import { quote, type Violations } from '../platform/errors.js';
import { activationNames, initializerNames } from './contract-names.js';
import {
  checkSettings,
  choice,
  type Draft,
  flag,
  fraction,
  integer,
  notNegative,
  positive,
  required,
  type Settings,
  unset,
  withDefaults,
} from './settings.js';
import type { LayerSpec } from './training-spec.js';

type LayerType = LayerSpec['type'];

export interface LayerDraft {
  type: LayerType;
  /** A setting of a dense layer that stands beside those of another one. */
  stray?: string;
  [setting: string]: unknown;
}

export const layersMax = 1_000;
export const unitsMax = 1_000_000;
const depthMax = 32;
/** All layers, those within blocks included. */
const totalMax = 4_000;

const units = { ...integer(1, required, unitsMax), rule: 'from 1 to 1,000,000 in a dense layer' };
const initializer = (otherwise: string) => choice(initializerNames, otherwise);

const layers: Record<LayerType, Settings> = {
  dense: {
    units,
    activation: choice(activationNames, required),
    useBias: flag(true),
    kernelInitializer: initializer('glorotUniform'),
    biasInitializer: initializer('zeros'),
  },
  activation: {
    activation: choice(activationNames, required),
    negativeSlope: notNegative(unset),
    alpha: notNegative(unset),
  },
  prelu: { alphaInitializer: initializer('zeros') },
  dropout: { rate: fraction(required) },
  batchNormalization: { momentum: fraction(0.99), epsilon: positive(1e-3) },
  layerNormalization: { epsilon: positive(1e-3) },
  residual: {},
  embedding: {},
};

const table: Settings = {
  column: { rule: 'the name of a column', allows: (value) => typeof value === 'string', otherwise: required },
  units: integer(1, required, unitsMax),
};

/** Fields of the contract, by our words. */
export const layerFields: Record<Exclude<LayerType, 'dense'>, string> = {
  activation: 'activation_layer',
  prelu: 'prelu',
  dropout: 'dropout',
  batchNormalization: 'batch_normalization',
  layerNormalization: 'layer_normalization',
  residual: 'residual',
  embedding: 'embedding',
};

/** What can be said of layers without knowing what comes in. */
export function checkLayers(given: LayerDraft[], violations: Violations): void {
  const field = 'spec.network.layers';
  const rule = 'a list of 1 to 1,000 layers';
  if (!violations.check(given.length >= 1 && given.length <= layersMax, field, rule, given.length)) {
    return;
  }
  const walk = new LayerWalk(violations, given.at(-1)!);
  walk.check(given, field, 0);
  const last = given.at(-1)!;
  if (last.type !== 'dense') {
    const path = `${field}[${given.length - 1}]`;
    const reason = 'since it is the last layer, whose units fit the label';
    violations.add(
      path,
      `Expected \`${path}\` to be a dense layer, ${reason}, but received ${layerFields[last.type]}.`,
    );
  }
}

class LayerWalk {
  #total = 0;

  constructor(
    private readonly violations: Violations,
    private readonly last: LayerDraft,
  ) {}

  check(given: LayerDraft[], field: string, depth: number): void {
    for (const [i, layer] of given.entries()) {
      if (++this.#total > totalMax) {
        if (this.#total === totalMax + 1) {
          this.violations.add('spec.network.layers', `Expected at most ${totalMax} layers in all.`);
        }
        return;
      }
      this.#checkLayer(layer, `${field}[${i}]`, depth);
    }
  }

  #checkLayer(layer: LayerDraft, path: string, depth: number): void {
    const { type, stray } = layer;
    const field = type === 'dense' ? path : `${path}.${layerFields[type]}`;
    if (stray !== undefined && type !== 'dense') {
      const rule = `unset beside \`${field}\`: a layer is of one kind`;
      this.violations.add(`${path}.${stray}`, `Expected \`${path}.${stray}\` to be ${rule}.`);
    }
    checkSettings(layers[type], layer, field, this.violations);
    if (layer.activation === 'softmax' && layer !== this.last) {
      const description = `Expected \`${field}.activation\` to be another than ACTIVATION_SOFTMAX, which only the last layer may have.`;
      this.violations.add(`${field}.activation`, description);
    }
    if (type === 'activation') {
      this.#checkSlope(layer, field);
    } else if (type === 'residual') {
      this.#checkBlock(layer.layers as LayerDraft[], field, depth + 1);
    } else if (type === 'embedding') {
      this.#checkTables(layer.tables as Draft[], path, field);
    }
  }

  #checkSlope({ activation, negativeSlope, alpha }: LayerDraft, field: string): void {
    for (const [name, value, of] of [
      ['negative_slope', negativeSlope, 'leakyRelu'],
      ['alpha', alpha, 'elu'],
    ] as const) {
      const rule = `unset unless the activation is ${activationNames[of]}`;
      this.violations.check(value === undefined || activation === of, `${field}.${name}`, rule, value);
    }
  }

  #checkBlock(inner: LayerDraft[], field: string, depth: number): void {
    const rule = 'a list of 1 to 1,000 layers';
    if (!this.violations.check(inner.length >= 1 && inner.length <= layersMax, `${field}.layers`, rule, inner.length)) {
      return;
    }
    const deep = `nested at most ${depthMax} deep`;
    if (this.violations.check(depth <= depthMax, field, deep, `${depth} blocks within each other`)) {
      this.check(inner, `${field}.layers`, depth);
    }
  }

  #checkTables(tables: Draft[], path: string, field: string): void {
    this.violations.check(path === 'spec.network.layers[0]', field, 'the first layer', `it at ${path}`);
    this.violations.check(tables.length > 0, `${field}.tables`, 'a list of at least one table', tables.length);
    const columns = tables.map(({ column }) => column);
    for (const [i, given] of tables.entries()) {
      checkSettings(table, given, `${field}.tables[${i}]`, this.violations);
      if (columns.indexOf(given.column) < i) {
        const path = `${field}.tables[${i}].column`;
        this.violations.add(path, `Expected \`${path}\` to be named once but received ${quote(given.column)} again.`);
      }
    }
  }
}

/** A layer that was checked, with its defaults. @param tables of an embedding, as the pipeline knows them */
export function resolveLayer(draft: LayerDraft, tables: (given: Draft[]) => Draft[]): LayerSpec {
  const { type } = draft;
  const resolved: Record<string, unknown> = { type, ...withDefaults(layers[type], draft) };
  if (type === 'residual') {
    resolved.layers = (draft.layers as LayerDraft[]).map((layer) => resolveLayer(layer, tables));
  } else if (type === 'embedding') {
    resolved.tables = tables(draft.tables as Draft[]);
  }
  return resolved as LayerSpec;
}
