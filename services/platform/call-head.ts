import type { Header } from './http2/hpack.js';
import { errorCode, StreamError } from './http2/protocol.js';

/** What the headers of a request say of the call. */
export interface CallHead {
  headers: readonly Header[];
  /** `/package.Service/Method` */
  path: string;
  isPost: boolean;
  isGrpc: boolean;
  /** null: the caller waits for ever; NaN: it cannot be read. */
  timeoutMs: number | null;
  /** Of compressed messages. */
  encoding: string;
  contentLength: number | null;
}

/** Headers that are the transport's, not the caller's. */
export const transportHeaders: ReadonlySet<string> = new Set([
  'grpc-timeout',
  'grpc-encoding',
  'grpc-accept-encoding',
  'accept-encoding',
  'te',
  'content-type',
]);

/** The decoder gives the same list for the same bytes. */
const heads = new WeakMap<readonly Header[], CallHead>();

/** @throws StreamError if RFC 9113 does not allow such headers */
export function readCallHead(headers: readonly Header[]): CallHead {
  let head = heads.get(headers);
  if (!head) {
    head = parse(headers);
    heads.set(headers, head);
  }
  return head;
}

const pseudoHeaders = new Set([':method', ':scheme', ':path', ':authority']);
/** RFC 9110's token, in lower case as RFC 9113 has it. */
const headerName = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;
/** What would end a header where it is passed on as text. */
const endsHeader = /[\0\r\n]/;
const connectionHeaders = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade']);

function parse(headers: readonly Header[]): CallHead {
  const pseudo = new Map<string, string>();
  const values = new Map<string, string>();
  for (const [name, value] of headers) {
    check(!endsHeader.test(value), name);
    if (name.startsWith(':')) {
      check(pseudoHeaders.has(name) && !pseudo.has(name) && values.size === 0, name);
      pseudo.set(name, value);
    } else {
      check(headerName.test(name) && !connectionHeaders.has(name), name);
      check(name !== 'te' || value === 'trailers', name);
      values.set(name, value);
    }
  }
  for (const name of [':method', ':scheme', ':path']) {
    check(pseudo.get(name), name);
  }
  const length = values.get('content-length');
  return {
    headers,
    path: pseudo.get(':path')!,
    isPost: pseudo.get(':method') === 'POST',
    isGrpc: /^application\/grpc(?:[+;]|$)/.test(values.get('content-type') ?? ''),
    timeoutMs: toTimeoutMs(values.get('grpc-timeout')),
    encoding: values.get('grpc-encoding') ?? 'identity',
    contentLength: length === undefined ? null : Number(length),
  };
}

function check(isAllowed: unknown, name: string): void {
  if (!isAllowed) {
    throw new StreamError(
      errorCode.protocolError,
      `Expected the headers of a request but \`${name}\` is not allowed so.`,
    );
  }
}

const msPerUnit: Record<string, number> = { H: 3_600_000, M: 60_000, S: 1_000, m: 1, u: 0.001, n: 0.000_001 };

function toTimeoutMs(text: string | undefined): number | null {
  if (text === undefined) {
    return null;
  }
  const match = /^(\d{1,8})([HMSmun])$/.exec(text);
  return match ? Number(match[1]) * msPerUnit[match[2]!]! : Number.NaN;
}
