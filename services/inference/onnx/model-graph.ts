import {
  decodeOnnxModel,
  type OnnxGraph,
  type OnnxModel,
  type OnnxNode,
  type OnnxValue,
} from '../../../proto/index.js';
import { quote } from '../../platform/errors.js';
import { BrokenArtifact } from '../model-files.js';
import type { TensorSpec } from '../tensor.js';
import { nodeLabel } from './node-reader.js';
import { datatypeOf, rankMax, readConstant } from './tensor-file.js';
import type { Constant } from './value.js';

const opsetMin = 7;
const opsetMax = 24;
const nodesMax = 10_000;
const tensorsMax = 1_000;

/** A tensor that goes in or comes out. `shape` is of one row; null where the file does not tell. */
export interface DeclaredTensor extends Omit<TensorSpec, 'shape'> {
  shape: readonly number[] | null;
  /** The file says 1 where the rows should be. */
  batchIsOne: boolean;
}

/** What a file says, checked as far as it goes without knowing operators. */
export interface ModelGraph {
  opset: number;
  inputs: (DeclaredTensor & { shape: readonly number[] })[];
  outputs: DeclaredTensor[];
  constants: Map<string, Constant>;
  /** Each reads only what comes before it; with the name that messages use. */
  nodes: { node: OnnxNode; label: string }[];
}

const refuse = (reason: string) => new BrokenArtifact(`model.onnx: ${reason}`);

/** Reads a file. Every reason against it is a BrokenArtifact. */
export function readModelGraph(bytes: Uint8Array): ModelGraph {
  let model: OnnxModel;
  try {
    model = decodeOnnxModel(bytes);
  } catch (error) {
    throw new BrokenArtifact(`model.onnx is not an ONNX model: ${(error as Error).message}`, { cause: error });
  }
  const { graph } = model;
  if (graph === null || model.irVersion < 3) {
    throw refuse('is not an ONNX model, or one from before 2017: it has no graph, or an IR version below 3');
  }
  const opset = readOpset(model);
  expectSizes(graph);
  const constants = new Map<string, Constant>();
  for (const tensor of graph.initializer) {
    if (tensor.name === '' || constants.has(tensor.name)) {
      throw refuse(`has two initializers called ${quote(tensor.name)}, or one without a name`);
    }
    constants.set(tensor.name, readConstant(tensor, `initializer ${quote(tensor.name)}`));
  }
  const inputs = graph.input
    .filter(({ name }) => !constants.has(name))
    .map((value) => {
      const declared = declaredTensor(value, `input ${quote(value.name)}`);
      if (declared.shape === null) {
        throw refuse(`input ${quote(value.name)} has no shape`);
      }
      return { ...declared, shape: declared.shape };
    });
  const outputs = graph.output.map((value) => declaredTensor(value, `output ${quote(value.name)}`));
  expectNames(inputs, 'input');
  expectNames(outputs, 'output');
  const known = [...constants.keys(), ...inputs.map(({ name }) => name)];
  return { opset, inputs, outputs, constants, nodes: inOrder(graph.node, known) };
}

function readOpset({ opsetImport }: OnnxModel): number {
  const versions = opsetImport.filter(({ domain }) => domain === '' || domain === 'ai.onnx');
  const [first] = versions;
  if (first === undefined || versions.length > 1) {
    throw refuse('does not say in one version of the standard operators it is written');
  }
  const { version } = first;
  if (!(version >= opsetMin && version <= opsetMax)) {
    throw refuse(`is written in version ${version} of the operators; ${opsetMin} to ${opsetMax} are supported`);
  }
  return version;
}

function expectSizes({ node, input, output, initializer, sparseInitializer }: OnnxGraph): void {
  const sizes: [number, number, string][] = [
    [node.length, nodesMax, 'nodes'],
    [input.length - initializer.length, tensorsMax, 'inputs'],
    [output.length, tensorsMax, 'outputs'],
  ];
  for (const [count, most, what] of sizes) {
    if (count > most) {
      throw refuse(`has ${count} ${what}; at most ${most} are supported`);
    }
  }
  if (sparseInitializer.length > 0) {
    throw refuse('has sparse initializers, which are not supported');
  }
}

function expectNames(tensors: readonly DeclaredTensor[], what: string): void {
  const names = new Set(tensors.map(({ name }) => name));
  if (tensors.length === 0 || names.size < tensors.length || names.has('')) {
    throw refuse(`has no ${what}, two of one name, or one without a name`);
  }
}

function declaredTensor({ name, type }: OnnxValue, label: string): DeclaredTensor {
  const tensor = type?.tensorType ?? null;
  const datatype = tensor === null ? null : datatypeOf(tensor.elemType);
  if (tensor === null || datatype === null) {
    throw refuse(`${label} is not a tensor of a datatype of the protocol`);
  }
  if (tensor.shape === null) {
    return { name, datatype, shape: null, batchIsOne: false };
  }
  const lengths = tensor.shape.dim.map((dimension) =>
    dimension.value === 'dimValue' ? (dimension.dimValue ?? 0) : null,
  );
  const [first, ...shape] = lengths;
  if (first === undefined || (first !== null && first !== 1)) {
    const text = lengths.map((length) => length ?? '?').join(', ');
    throw refuse(`${label} has the shape [${text}]; its first dimension must be the rows: open, or 1`);
  }
  const isLength = (length: number | null): length is number => Number.isSafeInteger(length) && length! > 0;
  if (lengths.length > rankMax || !shape.every(isLength)) {
    const text = lengths.slice(0, rankMax).map((length) => length ?? '?');
    throw refuse(`${label} has the shape [${text.join(', ')}]; all lengths but the first must be given and positive`);
  }
  return { name, datatype, shape, batchIsOne: first === 1 };
}

/** Nodes in an order in which each reads only what is there; files should have them so, but not all do. */
function inOrder(nodes: readonly OnnxNode[], known: readonly string[]): ModelGraph['nodes'] {
  const maker = new Map<string, number>();
  const given = new Set(known);
  for (const [index, node] of nodes.entries()) {
    for (const name of node.output.filter((output) => output !== '')) {
      if (maker.has(name) || given.has(name)) {
        throw refuse(`${nodeLabel(node, index)} makes ${quote(name)}, which is there already`);
      }
      maker.set(name, index);
    }
  }
  const waiting = nodes.map(() => 0);
  const followers = nodes.map((): number[] => []);
  for (const [index, node] of nodes.entries()) {
    for (const name of new Set(node.input.filter((input) => input !== '' && !given.has(input)))) {
      const before = maker.get(name);
      if (before === undefined) {
        throw refuse(
          `${nodeLabel(node, index)} reads ${quote(name)}, which is neither an input, an initializer nor made`,
        );
      }
      waiting[index]!++;
      followers[before]!.push(index);
    }
  }
  const order = nodes.flatMap((_, index) => (waiting[index] === 0 ? [index] : []));
  // An array's iterator walks over what is added on the way.
  for (const index of order) {
    for (const follower of followers[index]!) {
      if (--waiting[follower]! === 0) {
        order.push(follower);
      }
    }
  }
  if (order.length < nodes.length) {
    const stuck = waiting.findIndex((count) => count > 0);
    throw refuse(`${nodeLabel(nodes[stuck]!, stuck)} waits for its own result: the graph has a cycle`);
  }
  return order.map((index) => ({ node: nodes[index]!, label: nodeLabel(nodes[index]!, index) }));
}
