import type { DecodingStep } from './step.js';
import { UntransformableError } from './step.js';

/** Decoders run on threads or in processes of their own; more at once than there are of these would only hold memory. */
const decodesAtOnce = 4;

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
  { output, items: type, decode }: DecodingStep,
  contents: readonly (Uint8Array | null)[],
): Promise<DecodedValues> {
  const { width } = output;
  const length = contents.length * width;
  const items = type === 'uint8' ? new Uint8Array(length) : new Float64Array(length);
  const missing = contents.includes(null) ? Uint8Array.from(contents, (content) => (content ? 0 : 1)) : null;
  const refused: UntransformableError[] = [];
  const rows = contents.entries();
  const decodeRest = async () => {
    // All of them take from the same iterator.
    for (const [row, content] of rows) {
      if (content) {
        const decoded = await decode(content);
        if (typeof decoded === 'string') {
          refused.push(new UntransformableError(row, decoded));
        } else {
          items.set(decoded, row * width);
        }
      }
    }
  };
  await Promise.all(Array.from({ length: decodesAtOnce }, decodeRest));
  return { items, missing, refused: refused.sort((a, b) => a.row - b.row) };
}
