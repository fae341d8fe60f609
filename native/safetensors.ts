import { invalidArgument } from './engine-error.js';

/** Format: https://github.com/huggingface/safetensors#format. Only F32 tensors are read and written here. */

export interface Tensor {
  shape: number[];
  /** Row-major; as many numbers as the shape says. */
  data: Float32Array;
}

export interface TensorFile {
  tensors: Map<string, Tensor>;
  metadata: Record<string, string>;
}

/** A tensor as the header describes it; `begin` and `end` are bytes of the file. */
export interface TensorEntry {
  name: string;
  shape: number[];
  begin: number;
  end: number;
}

export interface TensorLayout {
  entries: TensorEntry[];
  metadata: Record<string, string>;
}

const lengthBytes = 8;
const headerBytesMax = 100_000_000;
const dimensionsMax = 8;
const nameLengthMax = 256;
const alignment = 8;

/**
 * The bytes depend on the arguments only: metadata is sorted by key, tensors keep their order.
 * The header is padded with spaces so that the data starts on a multiple of 8.
 */
export function writeSafetensors(tensors: Map<string, Tensor>, metadata: Record<string, string>): Uint8Array {
  // Without a prototype, so that a tensor may have any name.
  const header: Record<string, unknown> = Object.create(null);
  const keys = Object.keys(metadata).sort();
  if (keys.length > 0) header.__metadata__ = Object.fromEntries(keys.map((key) => [key, metadata[key]]));
  let size = 0;
  for (const [name, tensor] of tensors) {
    expectWritable(name, tensor);
    header[name] = { dtype: 'F32', shape: tensor.shape, data_offsets: [size, size + tensor.data.byteLength] };
    size += tensor.data.byteLength;
  }
  const text = new TextEncoder().encode(JSON.stringify(header));
  const headerBytes = Math.ceil(text.length / alignment) * alignment;
  const bytes = new Uint8Array(lengthBytes + headerBytes + size);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(headerBytes), true);
  bytes.fill(0x20, lengthBytes + text.length, lengthBytes + headerBytes);
  bytes.set(text, lengthBytes);
  let position = lengthBytes + headerBytes;
  for (const { data } of tensors.values()) {
    bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), position);
    position += data.byteLength;
  }
  return bytes;
}

function expectWritable(name: string, { shape, data }: Tensor): void {
  if (name === '__metadata__') throw invalidArgument(name, 'A tensor cannot be named `__metadata__`.');
  const size = shape.reduce((product, length) => product * length, 1);
  if (data.length === size) return;
  throw invalidArgument(
    name,
    `Expected tensor \`${name}\` of shape ${shown(shape)} to hold ${size} numbers but received ${data.length}.`,
  );
}

/**
 * Refuses, with the tensor's name and the byte position: truncated files, headers that are not strict JSON or name a
 * key twice, data that overlaps, leaves holes or ends early, other types than F32, and numbers that are not finite.
 */
export function readSafetensors(bytes: Uint8Array): TensorFile {
  if (!(bytes instanceof Uint8Array)) throw invalidArgument('bytes', 'Expected `bytes` to be a Uint8Array.');
  const { entries, metadata } = readLayout(bytes.subarray(0, headerEnd(bytes, bytes.length)), bytes.length);
  const tensors = new Map<string, Tensor>();
  for (const entry of entries) {
    // A copy, since the data of a file part may lie at any address and numbers need a multiple of 4.
    const data = new Float32Array(bytes.slice(entry.begin, entry.end).buffer);
    const index = data.findIndex((number) => !Number.isFinite(number));
    if (index >= 0) {
      throw invalidArgument(
        entry.name,
        `Expected tensor \`${entry.name}\` to be finite but received ${data[index]} in element ${index}, ` +
          `at byte ${entry.begin + 4 * index}.`,
      );
    }
    tensors.set(entry.name, { shape: entry.shape, data });
  }
  return { tensors, metadata };
}

/** Where the header of a file of `fileBytes` bytes ends, which its first 8 tell. */
export function headerEnd(bytes: Uint8Array, fileBytes: number): number {
  if (bytes.length < lengthBytes) {
    throw invalidArgument('header', `Expected at least 8 bytes of safetensors but received ${bytes.length}.`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const headerBytes = view.getBigUint64(0, true);
  if (headerBytes > BigInt(headerBytesMax)) {
    throw invalidArgument(
      'header',
      `Expected a header of at most ${headerBytesMax} bytes but received ${headerBytes}.`,
    );
  }
  const end = lengthBytes + Number(headerBytes);
  if (end > fileBytes) {
    throw invalidArgument(
      'header',
      `The file is truncated: its header ends at byte ${end} but the file at byte ${fileBytes}.`,
    );
  }
  return end;
}

/** What the beginning of a file of `fileBytes` bytes, header included, says of the rest. */
export function readLayout(beginning: Uint8Array, fileBytes: number): TensorLayout {
  const dataStart = beginning.length;
  const header = parseHeader(decodeHeader(beginning.subarray(lengthBytes)));
  const metadata = readMetadata(header.__metadata__);
  const entries = Object.entries(header)
    .filter(([name]) => name !== '__metadata__')
    .map(([name, value]) => readEntry(name, value));
  expectContiguous(entries, fileBytes - dataStart, dataStart);
  const inFile = ({ begin, end, ...entry }: TensorEntry) => ({
    ...entry,
    begin: dataStart + begin,
    end: dataStart + end,
  });
  return { entries: entries.map(inFile), metadata };
}

function decodeHeader(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw invalidArgument('header', 'Expected the header at byte 8 to be UTF-8.');
  }
}

function parseHeader(text: string): Record<string, unknown> {
  let header: unknown;
  try {
    header = JSON.parse(text);
  } catch (error) {
    throw invalidArgument('header', `Expected the header at byte 8 to be JSON: ${(error as Error).message}`);
  }
  if (!text.startsWith('{') || !isPlainObject(header)) {
    throw invalidArgument('header', 'Expected the header at byte 8 to be a JSON object.');
  }
  const repeated = repeatedKey(text);
  if (repeated !== null) throw invalidArgument(repeated, `The header names \`${repeated}\` twice.`);
  return header;
}

/**
 * JSON.parse keeps the last of two equal keys silently; the format forbids them. `text` is valid JSON. A loop and no
 * regular expression: those run out of stack on long texts.
 */
function repeatedKey(text: string): string | null {
  const seen = new Set<string>();
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const symbol = text[at]!;
    if (symbol === '{' || symbol === '[') depth += 1;
    else if (symbol === '}' || symbol === ']') depth -= 1;
    else if (symbol === '"') {
      const begin = at;
      at = endOfString(text, begin);
      if (depth !== 1 || !isBeforeColon(text, at)) continue;
      const key = JSON.parse(text.slice(begin, at + 1)) as string;
      if (seen.has(key)) return key;
      seen.add(key);
    }
  }
  return null;
}

/** Where the string that begins at a quote ends. */
function endOfString(text: string, begin: number): number {
  let at = begin + 1;
  while (text[at] !== '"') at += text[at] === '\\' ? 2 : 1;
  return at;
}

function isBeforeColon(text: string, end: number): boolean {
  let at = end + 1;
  while (' \t\n\r'.includes(text[at]!)) at += 1;
  return text[at] === ':';
}

function readMetadata(value: unknown): Record<string, string> {
  if (value === undefined) return {};
  if (!isPlainObject(value) || Object.values(value).some((item) => typeof item !== 'string')) {
    throw invalidArgument('__metadata__', 'Expected `__metadata__` to map strings to strings.');
  }
  return value as Record<string, string>;
}

function readEntry(name: string, value: unknown): TensorEntry {
  if (name.length > nameLengthMax) {
    throw invalidArgument(
      'header',
      `Expected names of tensors to have at most ${nameLengthMax} characters but received one of ${name.length}.`,
    );
  }
  if (!isPlainObject(value)) throw invalidArgument(name, `Expected tensor \`${name}\` to be described by an object.`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (dtype !== 'F32') {
    throw invalidArgument(name, `Expected tensor \`${name}\` to have dtype F32 but received ${shown(dtype)}.`);
  }
  if (!isCounts(shape) || shape.length > dimensionsMax) {
    throw invalidArgument(name, `Expected tensor \`${name}\` to have a shape but received ${shown(shape)}.`);
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    throw invalidArgument(name, `Expected tensor \`${name}\` to have two offsets but received ${shown(offsets)}.`);
  }
  const [begin, end] = offsets as [number, number];
  const size = 4 * shape.reduce((product, length) => product * length, 1);
  if (end - begin !== size) {
    throw invalidArgument(
      name,
      `Expected tensor \`${name}\` of shape [${shape.join(', ')}] to take ${size} bytes but its offsets are ` +
        `${begin} to ${end}.`,
    );
  }
  return { name, shape, begin, end };
}

function expectContiguous(entries: TensorEntry[], dataBytes: number, dataStart: number): void {
  let position = 0;
  for (const entry of [...entries].sort((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (entry.begin !== position) {
      throw invalidArgument(
        entry.name,
        `Expected tensor \`${entry.name}\` to begin at byte ${dataStart + position} but it begins at byte ` +
          `${dataStart + entry.begin}: tensors may neither overlap nor leave holes.`,
      );
    }
    if (entry.end > dataBytes) {
      throw invalidArgument(
        entry.name,
        `The file is truncated: tensor \`${entry.name}\` ends at byte ${dataStart + entry.end} but the file at byte ` +
          `${dataStart + dataBytes}.`,
      );
    }
    position = entry.end;
  }
  if (position !== dataBytes) {
    throw invalidArgument(
      'data',
      `Expected the file to end at byte ${dataStart + position} but it goes on to byte ${dataStart + dataBytes}.`,
    );
  }
}

/** A value of a header in a message: short whatever it is. */
function shown(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (Array.isArray(value)) {
    const short = value.length <= dimensionsMax && value.every((item) => typeof item === 'number');
    return short ? JSON.stringify(value) : `an array of ${value.length} elements`;
  }
  return typeof value === 'object' && value !== null ? 'an object' : String(value);
}

function isPlainObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}
