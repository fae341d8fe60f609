import { clip, quote } from '../../platform/errors.js';
import { activations } from './activations.js';
import { arithmetics } from './arithmetic.js';
import { movements } from './movements.js';
import type { NodeReader } from './node-reader.js';
import type { Operator } from './operator.js';
import { products } from './products.js';
import type { Value } from './value.js';

const operators = new Map<string, Operator>(
  Object.entries({ ...products, ...arithmetics, ...activations, ...movements }),
);

/** By name, in alphabetical order. */
export const supportedOperators: readonly string[] = [...operators.keys()].sort();

/** What a node's first output is. */
export function applyOperator(reader: NodeReader): Value {
  const { node, facts } = reader;
  const foreign = node.domain !== '' && node.domain !== 'ai.onnx';
  const operator = foreign ? undefined : operators.get(node.opType);
  if (operator === undefined || facts.opset < (operator.since ?? 0)) {
    const name = clip(foreign ? `${node.domain}.${node.opType}` : node.opType, 160);
    const version = operator === undefined ? '' : ` in version ${facts.opset} of the operators`;
    throw reader.refuse(
      `is of operator ${name}, which is not supported${version}; supported are ${supportedOperators.join(', ')}`,
    );
  }
  const [fewest, most] = operator.inputs;
  if (node.input.length < fewest || node.input.length > most) {
    throw reader.refuse(
      `has ${node.input.length} inputs; it takes ${fewest === most ? fewest : `${fewest} to ${most}`}`,
    );
  }
  const unknown = node.attribute.find(({ name }) => !operator.attributes.includes(name));
  if (unknown !== undefined) {
    throw reader.refuse(`has an attribute ${quote(unknown.name)}, which is not known here`);
  }
  if (!node.output[0]) {
    throw reader.refuse('has no output');
  }
  return operator.apply(reader);
}
