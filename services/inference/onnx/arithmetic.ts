import type { ArithmeticOperation } from '../../../native/index.js';
import type { NodeReader } from './node-reader.js';
import type { Operator } from './operator.js';
import { type Rows, sameShape, shapeText } from './value.js';

/** Of two tensors of the same shape, or of one and a constant, on either side. */
function arithmetic(operation: ArithmeticOperation): Operator {
  return {
    inputs: [2, 2],
    attributes: [],
    apply(node) {
      if (node.input(1).kind === 'constant') {
        return withConstant(node, operation, node.numbers(0), 1, false);
      }
      if (node.input(0).kind === 'constant') {
        return withConstant(node, operation, node.numbers(1), 0, true);
      }
      const [left, right] = [node.numbers(0), node.numbers(1)];
      if (!sameShape(left.shape, right.shape)) {
        throw node.refuse(
          `takes two tensors of the same shape but receives ${shapeText(left)} and ${shapeText(right)}`,
        );
      }
      const inputs: [number, number] = [left.value, right.value];
      return node.steps.add({ type: 'arithmetic', operation, inputs, operand: null, reversed: false }, left.shape);
    },
  };
}

function withConstant(
  node: NodeReader,
  operation: ArithmeticOperation,
  rows: Rows,
  constant: number,
  reversed: boolean,
): Rows {
  const operand = node.weightsAlong(constant, rows);
  return node.steps.add({ type: 'arithmetic', operation, inputs: [rows.value], operand, reversed }, rows.shape);
}

export const arithmetics: Record<string, Operator> = {
  Add: arithmetic('add'),
  Sub: arithmetic('subtract'),
  Mul: arithmetic('multiply'),
  Div: arithmetic('divide'),
};
