import type { DecodingStep, DecodingTo } from './step.js';
import { UntransformableError } from './step.js';

/** Decoders run on threads or in processes of their own; more at once than there are of these would only hold memory. */
const runsAtOnce = 4;
/** Small files are handed over together, for that costs as much as decoding a very small one; others should not wait long for a thread. */
const runFilesMax = 16;
const runBytesMax = 256 * 1024;

export interface DecodedValues {
  /** [rows, width]; zeros where a value is missing or refused. */
  items: Uint8Array | Float64Array;
  /** 1 for each row whose value is missing; null: none is. */
  missing: Uint8Array | null;
  /** In the order of their rows. */
  refused: UntransformableError[];
}

/** Decodes some values of a column; null: missing. Those that cannot be decoded are all listed. */
export async function decodeValues(
  decoding: DecodingStep,
  contents: readonly (Uint8Array | null)[],
): Promise<DecodedValues> {
  const length = contents.length * decoding.output.width;
  const missing = contents.includes(null) ? Uint8Array.from(contents, (content) => (content ? 0 : 1)) : null;
  if (decoding.items === 'uint8') {
    const items = new Uint8Array(length);
    return { items, missing, refused: await decodeInto(decoding, contents, items) };
  }
  const items = new Float64Array(length);
  return { items, missing, refused: await decodeInto(decoding, contents, items) };
}

async function decodeInto<Items extends Uint8Array | Float64Array>(
  { output: { width }, decode }: DecodingTo<string, Items>,
  contents: readonly (Uint8Array | null)[],
  items: Items,
): Promise<UntransformableError[]> {
  const refused: UntransformableError[] = [];
  const runs = runsOf(contents);
  const decodeRest = async () => {
    // All of them take from the same iterator.
    for (const [from, to] of runs) {
      const target = items.subarray(from * width, to * width) as Items;
      const answers = await decode(contents.slice(from, to), target);
      for (const [i, expected] of answers.entries()) {
        if (expected !== null) {
          refused.push(new UntransformableError(from + i, expected));
        }
      }
    }
  };
  await Promise.all(Array.from({ length: runsAtOnce }, decodeRest));
  return refused.sort((a, b) => a.row - b.row);
}

/** Rows that are decoded in one go. */
function* runsOf(contents: readonly (Uint8Array | null)[]): Generator<[from: number, to: number]> {
  // A few runs for each decoder, so that all have something to do until the end.
  const filesMax = Math.min(runFilesMax, Math.ceil(contents.length / (4 * runsAtOnce)));
  let from = 0;
  let sizeBytes = 0;
  for (const [i, content] of contents.entries()) {
    const added = content?.length ?? 0;
    if (i > from && (i - from === filesMax || sizeBytes + added > runBytesMax)) {
      yield [from, i];
      from = i;
      sizeBytes = 0;
    }
    sizeBytes += added;
  }
  if (from < contents.length) {
    yield [from, contents.length];
  }
}
