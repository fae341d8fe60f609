import type { GraphStep, PredictionGraphSpec } from '../../../native/index.js';

type Dense = Extract<GraphStep, { type: 'dense' }>;

const wholeRows = new Set(['softmax', 'logSoftmax']);
/** What a fused activation has as its parameter, where it has one. */
const defaultParameter: Record<string, number> = { leakyRelu: Math.fround(0.2), elu: 1 };

/**
 * The same graph with fewer steps: those that no output needs are gone, and what follows a product alone, an added constant, a
 * scale, an activation, has become part of it. An added constant changes the order of one sum, a scale the rounding.
 */
export function fused({ inputs, steps, outputs }: PredictionGraphSpec): PredictionGraphSpec {
  const readers = countReaders({ inputs, steps, outputs });
  const result: GraphStep[] = [];
  /** Where each old value is found now. */
  const place = inputs.map((_, index) => index);
  for (const [index, step] of steps.entries()) {
    const old = inputs.length + index;
    if (readers[old] === 0) {
      place.push(-1);
      continue;
    }
    const source = place[step.inputs[0]!]!;
    const before = result[source - inputs.length];
    const alone = step.inputs.length === 1 && readers[step.inputs[0]!] === 1;
    const product = alone && before?.type === 'dense' ? merged(before, step) : null;
    if (product !== null) {
      result[source - inputs.length] = product;
      place.push(source);
      continue;
    }
    result.push({ ...step, inputs: step.inputs.map((value) => place[value]!) } as GraphStep);
    place.push(inputs.length + result.length - 1);
  }
  return { inputs, steps: result, outputs: outputs.map((value) => place[value]!) };
}

/** For each value how many steps that are needed read it, and how many outputs it is. */
function countReaders({ inputs, steps, outputs }: PredictionGraphSpec): number[] {
  const readers = Array<number>(inputs.length + steps.length).fill(0);
  for (const value of outputs) {
    readers[value]!++;
  }
  for (let index = steps.length - 1; index >= 0; index--) {
    if (readers[inputs.length + index]! > 0) {
      for (const value of steps[index]!.inputs) {
        readers[value]!++;
      }
    }
  }
  return readers;
}

/** A product with the step after it in it; null where that does not go. */
function merged(product: Dense, step: GraphStep): Dense | null {
  if (product.activation !== 'linear') {
    return null;
  }
  const { units, kernel, transposed } = product;
  const bias = product.bias ?? new Float32Array(units);
  if (step.type === 'arithmetic' && step.operand !== null && !step.reversed) {
    const { operand, operation } = step;
    const sign = operation === 'add' ? 1 : -1;
    const sum = operation === 'add' || operation === 'subtract';
    return sum ? { ...product, bias: bias.map((number, unit) => number + sign * operand[unit]!) } : null;
  }
  if (step.type === 'scale') {
    const { factor, summand } = step;
    const inner = kernel.length / units;
    const unitOf = (place: number) => (transposed ? Math.floor(place / inner) : place % units);
    return {
      ...product,
      kernel: kernel.map((weight, place) => weight * factor[unitOf(place)]!),
      bias: bias.map((number, unit) => number * factor[unit]! + summand[unit]!),
    };
  }
  const fuses =
    step.type === 'activation' &&
    !wholeRows.has(step.activation) &&
    step.parameter === (defaultParameter[step.activation] ?? step.parameter);
  return fuses ? { ...product, activation: step.activation } : null;
}
