import { ConnectionError, errorCode } from './protocol.js';

/** Bits of each byte's code, RFC 7541, appendix B; the code is canonical, so that its lengths are all there is to know. */
const codeBits = [
  13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28,
  28, 28, 28, 6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6, 5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
  13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6, 15, 5, 6, 5, 6,
  5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5, 6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28, 20, 22, 20, 20, 22, 22, 22, 23,
  22, 23, 23, 23, 23, 23, 24, 23, 24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24, 22, 21, 20, 22, 22,
  23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23, 21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23, 26, 26,
  20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25, 19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27,
  27, 20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23, 26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27,
  27, 27, 27, 26,
];
const endOfString = 256;
const endOfStringBits = 30;

/** Two children of each node: another node, or `~symbol`. */
const tree = buildTree();

function buildTree(): Int16Array {
  const children = new Int16Array(2 * endOfString);
  const symbols = [...codeBits, endOfStringBits].map((bits, symbol) => ({ bits, symbol }));
  symbols.sort((a, b) => a.bits - b.bits || a.symbol - b.symbol);
  let nodes = 1;
  let code = 0;
  let bitsBefore = symbols[0]!.bits;
  for (const { bits, symbol } of symbols) {
    code *= 2 ** (bits - bitsBefore);
    bitsBefore = bits;
    let node = 0;
    for (let bit = bits - 1; bit > 0; bit--) {
      const at = 2 * node + ((code >>> bit) & 1);
      children[at] ||= nodes++;
      node = children[at]!;
    }
    children[2 * node + (code & 1)] = ~symbol;
    code++;
  }
  return children;
}

/** Decodes a string of a header. @throws ConnectionError if it is none */
export function decodeHuffman(bytes: Buffer): string {
  const decoded = Buffer.allocUnsafe(Math.floor((bytes.length * 8) / 5));
  let length = 0;
  let node = 0;
  let padding = 0;
  let paddingIsOnes = true;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      const value = (byte >>> bit) & 1;
      const child = tree[2 * node + value]!;
      if (child >= 0) {
        node = child;
        padding++;
        paddingIsOnes &&= value === 1;
        continue;
      }
      if (~child === endOfString) {
        throw new ConnectionError(errorCode.compressionError, 'Expected no end of string within a header.');
      }
      decoded[length++] = ~child;
      node = 0;
      padding = 0;
      paddingIsOnes = true;
    }
  }
  if (padding > 7 || !paddingIsOnes) {
    throw new ConnectionError(errorCode.compressionError, 'Expected a header to be padded with less than 8 ones.');
  }
  return decoded.toString('latin1', 0, length);
}
