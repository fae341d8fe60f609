import { invalidField } from './errors.js';

const pageSizeDefault = 100;
const pageSizeMax = 1_000;

/** The size asked for; 0, which is also what an unset field holds, asks for the default. */
export function pageSize(requested: number): number {
  if (!Number.isInteger(requested) || requested < 0 || requested > pageSizeMax) {
    const message = `Expected \`page_size\` to be an integer from 0 to ${pageSizeMax} but received ${requested}.`;
    throw invalidField('page_size', message);
  }
  return requested || pageSizeDefault;
}

/** Where the next page starts, opaque to callers. */
export function encodePageToken(position: string | number): string {
  return Buffer.from(JSON.stringify([position])).toString('base64url');
}

/** The position in a token; null for an empty one. */
export function decodePageToken<T extends 'string' | 'number'>(
  token: string,
  type: T,
): (T extends 'string' ? string : number) | null {
  if (token === '') {
    return null;
  }
  try {
    const [position] = JSON.parse(Buffer.from(token, 'base64url').toString()) as unknown[];
    if (typeof position === type) {
      return position as T extends 'string' ? string : number;
    }
  } catch {
    // Not a token of ours: refused below, as a token of another list is.
  }
  throw invalidField('page_token', 'Expected `page_token` to be the `next_page_token` of an earlier answer.');
}

/** Splits one row too many off a page. */
export function toPage<Row>(rows: Row[], size: number, position: (row: Row) => string | number): [Row[], string] {
  if (rows.length <= size) {
    return [rows, ''];
  }
  const page = rows.slice(0, size);
  return [page, encodePageToken(position(page.at(-1)!))];
}
