import { decodeHuffman } from './huffman.js';
import { ConnectionError, errorCode } from './protocol.js';

export type Header = readonly [name: string, value: string];

/** RFC 7541, appendix A; the first has index 1. */
const staticTable: readonly Header[] = [
  [':authority', ''],
  [':method', 'GET'],
  [':method', 'POST'],
  [':path', '/'],
  [':path', '/index.html'],
  [':scheme', 'http'],
  [':scheme', 'https'],
  [':status', '200'],
  [':status', '204'],
  [':status', '206'],
  [':status', '304'],
  [':status', '400'],
  [':status', '404'],
  [':status', '500'],
  ['accept-charset', ''],
  ['accept-encoding', 'gzip, deflate'],
  ['accept-language', ''],
  ['accept-ranges', ''],
  ['accept', ''],
  ['access-control-allow-origin', ''],
  ['age', ''],
  ['allow', ''],
  ['authorization', ''],
  ['cache-control', ''],
  ['content-disposition', ''],
  ['content-encoding', ''],
  ['content-language', ''],
  ['content-length', ''],
  ['content-location', ''],
  ['content-range', ''],
  ['content-type', ''],
  ['cookie', ''],
  ['date', ''],
  ['etag', ''],
  ['expect', ''],
  ['expires', ''],
  ['from', ''],
  ['host', ''],
  ['if-match', ''],
  ['if-modified-since', ''],
  ['if-none-match', ''],
  ['if-range', ''],
  ['if-unmodified-since', ''],
  ['last-modified', ''],
  ['link', ''],
  ['location', ''],
  ['max-forwards', ''],
  ['proxy-authenticate', ''],
  ['proxy-authorization', ''],
  ['range', ''],
  ['referer', ''],
  ['refresh', ''],
  ['retry-after', ''],
  ['server', ''],
  ['set-cookie', ''],
  ['strict-transport-security', ''],
  ['transfer-encoding', ''],
  ['user-agent', ''],
  ['vary', ''],
  ['via', ''],
  ['www-authenticate', ''],
];

/** What an entry costs beside its text. */
const entryBytes = 32;
const tableBytesMax = 4_096;

/** Reads header blocks of one connection, RFC 7541. */
export class HeaderDecoder {
  /** Oldest first. */
  readonly #dynamic: Header[] = [];
  #bytes = 0;
  #bytesMax = tableBytesMax;
  #block: Buffer = Buffer.alloc(0);
  #offset = 0;
  /** Blocks that left the table as it was, while it is as it was: clients send the same ones again and again. */
  readonly #known = new Map<string, Header[]>();

  /**
   * @param bytesMax of the decoded list, as RFC 9113 counts it
   * @returns null if the list is larger
   * @throws ConnectionError if the block cannot be read: then no later one can
   */
  decode(block: Buffer, bytesMax: number): Header[] | null {
    const key = block.toString('latin1');
    const known = this.#known.get(key);
    if (known) {
      return known;
    }
    this.#block = block;
    this.#offset = 0;
    const headers: Header[] = [];
    let bytes = 0;
    let changesTable = false;
    while (this.#offset < block.length) {
      const first = block[this.#offset]!;
      if ((first & 0xe0) === 0x20) {
        this.#resize(headers.length);
        changesTable = true;
        continue;
      }
      const header = this.#header(first);
      bytes += sizeOf(header);
      if (bytes <= bytesMax) {
        headers.push(header);
      }
      changesTable ||= (first & 0xc0) === 0x40;
    }
    if (changesTable) {
      this.#known.clear();
    } else if (this.#known.size < knownMax && bytes <= bytesMax && block.length <= knownBlockBytesMax) {
      this.#known.set(key, headers);
    }
    return bytes <= bytesMax ? headers : null;
  }

  #header(first: number): Header {
    if (first & 0x80) {
      return this.#entry(this.#integer(7));
    }
    const isIndexed = (first & 0x40) !== 0;
    const index = this.#integer(isIndexed ? 6 : 4);
    const name = index === 0 ? this.#text() : this.#entry(index)[0];
    const header: Header = [name, this.#text()];
    if (isIndexed) {
      this.#dynamic.push(header);
      this.#bytes += sizeOf(header);
      this.#evict();
    }
    return header;
  }

  #entry(index: number): Header {
    const entry =
      index <= staticTable.length
        ? staticTable[index - 1]
        : this.#dynamic[this.#dynamic.length - (index - staticTable.length)];
    if (!entry) {
      throw malformed(`Expected a header of the table but received index ${index}.`);
    }
    return entry;
  }

  #resize(headersBefore: number): void {
    const size = this.#integer(5);
    if (size > tableBytesMax || headersBefore > 0) {
      throw malformed(`Expected no change of the table's size to ${size}.`);
    }
    this.#bytesMax = size;
    this.#evict();
  }

  #evict(): void {
    while (this.#bytes > this.#bytesMax) {
      this.#bytes -= sizeOf(this.#dynamic.shift()!);
    }
  }

  #integer(prefixBits: number): number {
    const prefixMax = 2 ** prefixBits - 1;
    let value = this.#byte() & prefixMax;
    if (value < prefixMax) {
      return value;
    }
    for (let shift = 0; shift <= 21; shift += 7) {
      const byte = this.#byte();
      value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) {
        return value;
      }
    }
    throw malformed('Expected a shorter integer.');
  }

  #text(): string {
    const isHuffman = (this.#block[this.#offset]! & 0x80) !== 0;
    const length = this.#integer(7);
    const end = this.#offset + length;
    if (end > this.#block.length) {
      throw malformed('Expected the rest of a string.');
    }
    const start = this.#offset;
    this.#offset = end;
    return isHuffman ? decodeHuffman(this.#block.subarray(start, end)) : this.#block.toString('latin1', start, end);
  }

  #byte(): number {
    if (this.#offset >= this.#block.length) {
      throw malformed('Expected the rest of a header.');
    }
    return this.#block[this.#offset++]!;
  }
}

const knownMax = 64;
const knownBlockBytesMax = 512;

function sizeOf([name, value]: Header): number {
  return name.length + value.length + entryBytes;
}

function malformed(message: string): ConnectionError {
  return new ConnectionError(errorCode.compressionError, message);
}

/** A header block that needs and changes no table but the static one. Names and values are Latin-1. */
export function encodeHeaders(headers: readonly Header[]): Buffer {
  return Buffer.concat(headers.map(encodeHeader));
}

function encodeHeader([name, value]: Header): Buffer {
  const same = staticTable.findIndex((entry) => entry[0] === name && entry[1] === value);
  if (same >= 0) {
    return Buffer.from([0x80 | (same + 1)]);
  }
  return Buffer.concat([Buffer.from([0]), encodeText(name), encodeText(value)]);
}

function encodeText(text: string): Buffer {
  return Buffer.concat([encodeLength(text.length), Buffer.from(text, 'latin1')]);
}

function encodeLength(length: number): Buffer {
  if (length < 0x7f) {
    return Buffer.from([length]);
  }
  const bytes = [0x7f];
  let rest = length - 0x7f;
  for (; rest >= 0x80; rest >>>= 7) {
    bytes.push((rest & 0x7f) | 0x80);
  }
  bytes.push(rest);
  return Buffer.from(bytes);
}
