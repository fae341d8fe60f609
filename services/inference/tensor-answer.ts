import { ServiceError } from '../platform/errors.js';
import { classify } from './classification.js';
import type { LoadedVersion } from './loaded-version.js';
import type { OutputRequest } from './output-request.js';
import type { RegionPart } from './request-parameters.js';
import type { Datatype } from './tensor.js';
import type { SharedMemory } from './tensor-request.js';

/** One output as it goes to the caller. */
export interface AnswerTensor {
  name: string;
  datatype: Datatype;
  shape: number[];
  /** Empty where `part` says that the elements lie in shared memory. */
  bytes: Uint8Array;
  part: RegionPart | null;
}

const nothing = new Uint8Array();

/** Gives each output that was asked for the form it was asked for in. */
export function answerTensors(
  version: LoadedVersion,
  computed: readonly Uint8Array[],
  rows: number,
  outputs: readonly OutputRequest[],
  memory: SharedMemory,
): AnswerTensor[] {
  return outputs.map(({ index, classes, part }) => {
    const spec = version.executable.outputs[index]!;
    const { name, datatype } = spec;
    const bytes = computed[index]!;
    if (classes > 0) {
      const labels = version.classes?.length === spec.shape.at(-1) ? version.classes : null;
      const top = classify(bytes, spec, rows, classes, labels);
      return { name, datatype: 'BYTES', shape: [rows, top.classes], bytes: top.bytes, part: null };
    }
    const shape = [rows, ...spec.shape];
    if (part) {
      return { name, datatype, shape, bytes: nothing, part: place(name, bytes, part, memory) };
    }
    return { name, datatype, shape, bytes, part: null };
  });
}

/** Puts an output into shared memory. */
function place(name: string, bytes: Uint8Array, part: RegionPart, memory: SharedMemory): RegionPart {
  if (bytes.length > part.byteSize) {
    const message = `Expected shared memory of ${bytes.length} bytes or more for output '${name}' but \`shared_memory_byte_size\` is ${part.byteSize}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'SHARED_MEMORY_TOO_SMALL', message);
  }
  memory.bytes(part).set(bytes);
  return { ...part, byteSize: bytes.length };
}
