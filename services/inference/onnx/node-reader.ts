import type { OnnxAttribute, OnnxNode } from '../../../proto/index.js';
import { clip, quote } from '../../platform/errors.js';
import { BrokenArtifact } from '../model-files.js';
import type { StepList } from './step-list.js';
import { alongRow, type Constant, type Rows, shapeText, type Value } from './value.js';

const kinds = { FLOAT: 1, INT: 2, STRING: 3, TENSOR: 4, FLOATS: 6, INTS: 7 } as const;

/** How a node is called in a message. */
export function nodeLabel({ opType, name }: OnnxNode, index: number): string {
  const operator = clip(opType, 80);
  return name === '' ? `${operator} (node ${index})` : `${operator} ${quote(name)}`;
}

/** What a model says as a whole, for its nodes. */
export interface ModelFacts {
  /** Version of the standard's operators. */
  opset: number;
  /** Every input has 1 as its first length: 1 there stands for the rows. */
  batchIsOne: boolean;
}

/** A node with the values that go into it: whatever an operator asks for is there, or the model is refused in words. */
export class NodeReader {
  constructor(
    readonly node: OnnxNode,
    readonly label: string,
    /** Null: left out. */
    readonly inputs: readonly (Value | null)[],
    readonly steps: StepList,
    readonly facts: ModelFacts,
  ) {}

  refuse(reason: string): BrokenArtifact {
    return new BrokenArtifact(`model.onnx: ${this.label} ${reason}`);
  }

  has(index: number): boolean {
    return (this.inputs[index] ?? null) !== null;
  }

  input(index: number): Value {
    const value = this.inputs[index] ?? null;
    if (value === null) {
      throw this.refuse(`lacks input ${index}`);
    }
    return value;
  }

  /** Rows to compute with. */
  numbers(index: number): Rows {
    const value = this.input(index);
    if (value.kind !== 'rows') {
      const what = value.kind === 'constant' ? 'a constant' : 'BYTES';
      throw this.refuse(`needs a tensor of FP32 rows as input ${index} but has ${what}`);
    }
    if (value.datatype !== 'FP32') {
      throw this.refuse(
        `would compute in ${value.datatype} (input ${index}); the engine computes in FP32: cast before`,
      );
    }
    return value;
  }

  constant(index: number): Constant {
    const value = this.input(index);
    if (value.kind !== 'constant') {
      throw this.refuse(`needs input ${index} to be a constant`);
    }
    return value;
  }

  /** Weights. */
  weights(index: number): { shape: readonly number[]; numbers: Float32Array } {
    const { datatype, shape, numbers } = this.constant(index);
    if (!(numbers instanceof Float32Array)) {
      throw this.refuse(`needs input ${index} to be FP32 but it is ${datatype}`);
    }
    return { shape, numbers };
  }

  /** Weights for each column of rows, spread where they are fewer. */
  weightsAlong(index: number, rows: Rows): Float32Array {
    const constant = this.constant(index);
    this.weights(index);
    const spread = alongRow(constant, rows.shape);
    if (spread === null) {
      throw this.refuse(
        `has a constant of shape ${shapeText(constant)}, which does not fit rows of ${shapeText(rows)}`,
      );
    }
    this.steps.countSpread(spread.length);
    return spread;
  }

  /** The one number of a constant, for example of a bound. */
  scalar(index: number): number {
    const { numbers, shape } = this.constant(index);
    if (numbers.length !== 1) {
      throw this.refuse(`needs input ${index} to be one number but it has the shape [${shape.join(', ')}]`);
    }
    return numbers[0]!;
  }

  float(name: string, otherwise: number): number {
    const value = this.#attribute(name, kinds.FLOAT)?.f ?? otherwise;
    if (Number.isNaN(value)) {
      throw this.refuse(`has no number as its attribute ${name}`);
    }
    return value;
  }

  integer(name: string, otherwise: number): number {
    const value = this.#attribute(name, kinds.INT)?.i ?? otherwise;
    if (!Number.isSafeInteger(value)) {
      throw this.refuse(`has ${value} as its attribute ${name}`);
    }
    return value;
  }

  text(name: string, otherwise: string): string {
    const attribute = this.#attribute(name, kinds.STRING);
    return attribute === null ? otherwise : Buffer.from(attribute.s).toString();
  }

  /** An axis of a tensor of `rank` dimensions, the rows' one counted; negative ones count from the end. */
  axis(otherwise: number | null, rank: number): number {
    if (otherwise === null && this.attribute('axis') === null) {
      throw this.refuse('lacks its attribute axis');
    }
    const axis = this.integer('axis', otherwise ?? 0);
    const counted = axis < 0 ? axis + rank : axis;
    if (counted < 0 || counted > rank) {
      throw this.refuse(`has axis ${axis}, but its input has ${rank} dimensions`);
    }
    return counted;
  }

  /** Null: not given. */
  attribute(name: string): OnnxAttribute | null {
    return this.node.attribute.find((attribute) => attribute.name === name) ?? null;
  }

  #attribute(name: string, kind: number): OnnxAttribute | null {
    const attribute = this.attribute(name);
    if (attribute !== null && (attribute.type !== kind || attribute.refAttrName !== '')) {
      throw this.refuse(`has an attribute ${name} of the wrong type`);
    }
    return attribute;
  }
}
