import { EngineError, PredictionGraph } from '../../../native/index.js';
import { quote } from '../../platform/errors.js';
import type { Executable } from '../executable.js';
import { BrokenArtifact } from '../model-files.js';
import type { TensorSpec } from '../tensor.js';
import { fused } from './fusion.js';
import { type DeclaredTensor, type ModelGraph, readModelGraph } from './model-graph.js';
import { NodeReader } from './node-reader.js';
import { OnnxExecutable } from './onnx-executable.js';
import { applyOperator } from './operators.js';
import { StepList } from './step-list.js';
import { elementCount, type Rows, sameShape, shapeText, type Texts, type Value } from './value.js';

/** BYTES elements of one row, of all inputs together. */
const textsMax = 2 ** 20;

/**
 * A model out of `model.onnx`. Throws BrokenArtifact, with the node at fault and the reason, for whatever the engine cannot
 * compute exactly as the file says.
 */
export function loadOnnx(bytes: Uint8Array): Executable {
  const graph = readModelGraph(bytes);
  const steps = new StepList();
  const values = new Map<string, Value>([...graph.constants, ...inputValues(graph, steps)]);
  const facts = { opset: graph.opset, batchIsOne: graph.inputs.every(({ batchIsOne }) => batchIsOne) };
  /** Further outputs of a node, which only training has a use for. */
  const withheld = new Set<string>();
  for (const { node, label } of graph.nodes) {
    const inputs = node.input.map((name) => {
      if (withheld.has(name)) {
        throw new BrokenArtifact(
          `model.onnx: ${label} reads ${quote(name)}, an output that only training has a use for`,
        );
      }
      return name === '' ? null : values.get(name)!;
    });
    values.set(node.output[0] ?? '', applyOperator(new NodeReader(node, label, inputs, steps, facts)));
    for (const name of node.output.slice(1)) {
      withheld.add(name);
    }
  }
  const outputs = graph.outputs.map((declared) => checkedOutput(declared, values.get(declared.name), graph));
  const specs = outputs.map(({ datatype, shape }, index): TensorSpec => {
    return { name: graph.outputs[index]!.name, datatype, shape };
  });
  const rows = outputs.filter((value): value is Rows => value.kind === 'rows');
  const prediction = rows.length === 0 ? null : createGraph(steps, rows);
  return new OnnxExecutable(graph.inputs, specs, outputs, prediction);
}

function inputValues({ inputs }: ModelGraph, steps: StepList): [string, Value][] {
  let texts = 0;
  return inputs.map(({ name, datatype, shape }) => {
    if (datatype !== 'BYTES') {
      return [name, steps.addInput(datatype, shape)];
    }
    const first = texts;
    const count = elementCount(shape);
    texts += count;
    if (texts > textsMax) {
      throw new BrokenArtifact(`model.onnx: its inputs have more than ${textsMax} BYTES elements a row`);
    }
    return [
      name,
      { kind: 'texts', datatype, shape, elements: Uint32Array.from({ length: count }, (_, i) => first + i) },
    ];
  });
}

/** An output as it was found, which has to be as the file says. */
function checkedOutput(declared: DeclaredTensor, found: Value | undefined, graph: ModelGraph): Rows | Texts {
  const refuse = (reason: string) => new BrokenArtifact(`model.onnx: output ${quote(declared.name)} ${reason}`);
  if (found === undefined) {
    throw refuse('is not made by any node');
  }
  if (found.kind === 'constant') {
    throw refuse('is a constant, which does not depend on the inputs');
  }
  if (found.datatype !== declared.datatype) {
    throw refuse(`is declared as ${declared.datatype}, but its node makes ${found.datatype}`);
  }
  const fixed = declared.batchIsOne && !graph.inputs.some(({ batchIsOne }) => batchIsOne);
  if (declared.shape !== null && (fixed || !sameShape(declared.shape, found.shape))) {
    const text = [declared.batchIsOne ? 1 : 'N', ...declared.shape].join(', ');
    throw refuse(`is declared as [${text}], but its node makes ${shapeText(found)}`);
  }
  return found;
}

function createGraph(steps: StepList, outputs: Rows[]): PredictionGraph {
  try {
    return PredictionGraph.create(fused(steps.spec(outputs.map(({ value }) => value))));
  } catch (error) {
    if (error instanceof EngineError) {
      throw new BrokenArtifact(`model.onnx: ${error.message}`, { cause: error });
    }
    throw error;
  }
}
