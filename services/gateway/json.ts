import { parse } from 'lossless-json';
import { HttpError } from './http-error.js';

/** A number of so many digits may be an integer that a double would round. */
const longInteger = /(?<![\d.])\d{16,}(?![\d.eE])/;

/** A value of JSON; integers that a double would round are `bigint`. */
export function parseJson(bytes: Buffer): unknown {
  const text = bytes.toString('utf8');
  try {
    return longInteger.test(text) ? parse(text, null, toExactNumber) : JSON.parse(text);
  } catch (error) {
    throw new HttpError(400, `The body is not JSON: ${(error as Error).message}.`, { cause: error });
  }
}

function toExactNumber(text: string): number | bigint {
  const number = Number(text);
  return Number.isSafeInteger(number) || !/^-?\d+$/.test(text) ? number : BigInt(text);
}
