import { z } from 'zod';
import type { OutputMeaning } from './labelled-answer.js';
import { type NetworkFile, networkFile, outputWidth, width } from './network-file.js';

const tensor = z.strictObject({
  name: z.string().min(1),
  datatype: z.literal('FP32'),
  shape: z.tuple([z.literal(-1), width]),
});

const signatureFile = z.strictObject({
  format: z.literal('millrace.signature/1'),
  inputs: z.tuple([tensor]),
  outputs: z.tuple([tensor]),
  /** In the order of the output's columns; two with a single output, the probability of the second. None: a number. */
  classes: z.array(z.string()).default([]),
  /** Whether a row may be of several classes, or of none: each output is the probability of one. */
  multiLabel: z.boolean().default(false),
  /** Names of several numbers, in the order of the output's columns. None: classes, or a number. */
  numbers: z.array(z.string()).default([]),
});

/** A tensor of a model; the first dimension is the batch. */
export interface TensorSignature {
  name: string;
  width: number;
}

/** What goes into a model and what comes out. */
export interface Signature extends OutputMeaning {
  input: TensorSignature;
  output: TensorSignature;
}

/** An artifact that cannot be used, with the reason in words. */
export class BrokenArtifact extends Error {
  override readonly name = 'BrokenArtifact';
}

export function parseNetworkFile(bytes: Uint8Array): NetworkFile {
  return parseFile('network.json', bytes, networkFile);
}

/** Reads `signature.json`, which must fit the network. */
export function parseSignature(bytes: Uint8Array, network: NetworkFile): Signature {
  const { inputs, outputs, classes, multiLabel, numbers } = parseFile('signature.json', bytes, signatureFile);
  const [input, output] = [toTensor(inputs[0]), toTensor(outputs[0])];
  const units = outputWidth(network);
  checkWidth('input', input.width, network.inputs);
  checkWidth('output', output.width, units);
  const classCount = units === 1 && !multiLabel ? 2 : units;
  if ((classes.length > 0 || multiLabel) && classes.length !== classCount) {
    throw new BrokenArtifact(
      `signature.json names ${classes.length} classes, but a network of ${units} outputs tells ${classCount} apart`,
    );
  }
  if (numbers.length > 0 && (numbers.length !== units || classes.length > 0)) {
    const named = `${numbers.length} numbers${classes.length > 0 ? ' beside classes' : ''}`;
    throw new BrokenArtifact(`signature.json names ${named}, but the network has ${units} outputs`);
  }
  const namesOrNull = (names: string[]) => (names.length > 0 ? names : null);
  return { input, output, classes: namesOrNull(classes), multiLabel, numbers: namesOrNull(numbers) };
}

function toTensor({ name, shape }: z.output<typeof tensor>): TensorSignature {
  return { name, width: shape[1] };
}

function checkWidth(tensorKind: string, given: number, expected: number): void {
  if (given !== expected) {
    throw new BrokenArtifact(`signature.json has an ${tensorKind} of width ${given}, but the network has ${expected}`);
  }
}

function parseFile<T extends z.ZodType>(name: string, bytes: Uint8Array, schema: T): z.output<T> {
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch (error) {
    throw new BrokenArtifact(`${name} is not JSON: ${(error as Error).message}`, { cause: error });
  }
  const result = schema.safeParse(content);
  if (!result.success) {
    const reasons = result.error.issues.map(({ path, message }) => `${path.join('.') || 'the file'}: ${message}`);
    throw new BrokenArtifact(`${name} is not what it should be: ${reasons.join('; ')}`);
  }
  return result.data;
}
