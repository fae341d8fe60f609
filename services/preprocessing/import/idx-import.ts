import type { FileHandle } from 'node:fs/promises';
import path from 'node:path';
import type { DictionaryChunk, NumberChunk } from '../../pipeline/index.js';
import { type ImportFile, invalidFile, openFile } from './import-file.js';
import { batchBytesMax, batchRowsMax, type ImportBatch, type ImportSource } from './import-source.js';

const imageMagic = 'an IDX file of unsigned bytes (first bytes 0, 0, 8, then the number of dimensions)';
/** Order of the dictionary of the split column. */
const splits = ['train', 'test'] as const;

interface IdxHeader {
  file: string;
  bytes: number;
  count: number;
  /** Lengths of one item; empty for labels. */
  shape: number[];
}

interface IdxPair {
  images: IdxHeader;
  labels: IdxHeader;
  split: (typeof splits)[number];
}

/** Opens the MNIST database's files; everything that headers and sizes can tell is checked before the first row is read. */
export async function openIdx(files: readonly ImportFile[]): Promise<ImportSource> {
  const pairs: IdxPair[] = [];
  for (const { images, labels, split } of pairFiles(files)) {
    pairs.push({ images: await readHeader(images, 'images'), labels: await readHeader(labels, 'labels'), split });
  }
  for (const { images, labels } of pairs) {
    if (images.count !== labels.count) {
      const problem = `Expected as many images as ${labels.file} has labels, ${labels.count}, but its header says ${images.count}.`;
      throw invalidFile(images.file, problem);
    }
    if (images.shape.join() !== pairs[0]!.images.shape.join()) {
      const expected = pairs[0]!.images.shape.join(' x ');
      throw invalidFile(images.file, `Expected images of ${expected} but they are ${images.shape.join(' x ')}.`);
    }
  }
  const { shape } = pairs[0]!.images;
  const width = shape.reduce((a, b) => a * b);
  return {
    columns: [
      { name: 'image', type: { kind: 'list', type: 'uint8', width }, shape },
      { name: 'label', type: { kind: 'number', type: 'uint8' }, shape: [] },
      { name: 'split', type: { kind: 'dictionary', index: 'int8', large: false, id: 0 }, shape: [] },
    ],
    batches: readPairs(pairs, width),
  };
}

/** Files belong together when their names differ in `images` and `labels` only (and in the digit of `idx3`, `idx1`). */
function pairFiles(files: readonly ImportFile[]) {
  const pairs = new Map<string, { images: ImportFile | null; labels: ImportFile | null }>();
  for (const file of files) {
    const name = path.basename(file.path);
    const kind = /images/i.test(name) ? 'images' : /labels/i.test(name) ? 'labels' : null;
    if (!kind) {
      throw invalidFile(file.path, 'Expected `images` or `labels` in the name of an IDX file.');
    }
    const key = file.path.replace(/images|labels/gi, '*').replace(/idx\d/gi, 'idx');
    const pair = pairs.get(key) ?? { images: null, labels: null };
    if (pair[kind]) {
      throw invalidFile(file.path, `Expected one file of ${kind} but ${pair[kind].path} is another.`);
    }
    pair[kind] = file;
    pairs.set(key, pair);
  }
  return [...pairs.values()].map(({ images, labels }) => {
    if (!images || !labels) {
      const other = images ? 'labels' : 'images';
      throw invalidFile((images ?? labels)!.path, `Expected a file of ${other} with a name like it beside it.`);
    }
    const split = /t10k|test/i.test(path.basename(images.path)) ? ('test' as const) : ('train' as const);
    return { images, labels, split };
  });
}

async function readHeader({ path: file, sizeBytes }: ImportFile, kind: 'images' | 'labels'): Promise<IdxHeader> {
  if (sizeBytes === 0) {
    throw invalidFile(file, `Expected ${imageMagic} but it is empty.`);
  }
  const handle = await openFile(file);
  try {
    const header = await readBytes(handle, file, 0, 4);
    const [zero, zero2, type, dimensions] = header;
    if (zero === 0x1f && zero2 === 0x8b) {
      throw invalidFile(file, 'Expected an IDX file but it is compressed. Unpack it first: gunzip.');
    }
    const isKind = kind === 'labels' ? dimensions === 1 : dimensions! >= 2 && dimensions! <= 4;
    if (zero !== 0 || zero2 !== 0 || type !== 8 || !isKind) {
      const expected = kind === 'labels' ? '1 dimension' : '2 to 4 dimensions';
      throw invalidFile(file, `Expected ${imageMagic} with ${expected} but its first bytes are ${header.join(', ')}.`);
    }
    const view = new DataView((await readBytes(handle, file, 4, 4 * dimensions!)).buffer);
    const [count, ...shape] = Array.from({ length: dimensions! }, (_, i) => view.getUint32(4 * i, false));
    const bytes = 4 + 4 * dimensions!;
    checkSize(file, sizeBytes, bytes, count!, shape);
    return { file, bytes, count: count!, shape };
  } finally {
    await handle.close();
  }
}

const itemBytesMax = 16 * 1024 * 1024;

function checkSize(file: string, sizeBytes: number, headerBytes: number, count: number, shape: number[]): void {
  const itemBytes = shape.reduce((a, b) => a * b, 1);
  if (count === 0 || itemBytes === 0 || itemBytes > itemBytesMax) {
    const received = [count, ...shape].join(' x ');
    throw invalidFile(
      file,
      `Expected items of 1 to ${itemBytesMax} bytes, at least one, but its header says ${received}.`,
    );
  }
  const expected = headerBytes + count * itemBytes;
  if (sizeBytes < expected) {
    const whole = Math.floor((sizeBytes - headerBytes) / itemBytes);
    throw invalidFile(
      file,
      `It is truncated: it ends at byte ${sizeBytes}, in item ${whole + 1} of ${count}. Its header promises ${expected} bytes.`,
    );
  }
  if (sizeBytes > expected) {
    throw invalidFile(
      file,
      `Expected it to end at byte ${expected}, as its header says, but it has ${sizeBytes} bytes.`,
    );
  }
}

async function readBytes(handle: FileHandle, file: string, offset: number, size: number) {
  const bytes = new Uint8Array(size);
  let done = 0;
  while (done < size) {
    const { bytesRead } = await handle.read(bytes, done, size - done, offset + done);
    if (bytesRead === 0) {
      throw invalidFile(file, `It is truncated: it ends at byte ${offset + done}, before byte ${offset + size}.`);
    }
    done += bytesRead;
  }
  return bytes;
}

async function* readPairs(pairs: IdxPair[], width: number): AsyncGenerator<ImportBatch> {
  for (const pair of pairs) {
    const imageFile = await openFile(pair.images.file);
    try {
      const labelFile = await openFile(pair.labels.file);
      try {
        yield* readPair(pair, imageFile, labelFile, width);
      } finally {
        await labelFile.close();
      }
    } finally {
      await imageFile.close();
    }
  }
}

async function* readPair(
  { images, labels, split }: IdxPair,
  imageFile: FileHandle,
  labelFile: FileHandle,
  width: number,
): AsyncGenerator<ImportBatch> {
  const rowsMax = Math.max(1, Math.min(batchRowsMax, Math.floor(batchBytesMax / width)));
  for (let row = 0; row < images.count; row += rowsMax) {
    const length = Math.min(rowsMax, images.count - row);
    const pixels = await readBytes(imageFile, images.file, images.bytes + row * width, length * width);
    const values = await readBytes(labelFile, labels.file, labels.bytes + row, length);
    const image: NumberChunk = { kind: 'number', length, width, values: pixels, validity: null };
    const label: NumberChunk = { kind: 'number', length, width: 1, values, validity: null };
    yield { chunks: [image, label, constantSplit(split, length)], bytesDone: pixels.length + values.length };
  }
}

function constantSplit(split: (typeof splits)[number], length: number): DictionaryChunk {
  const indices = new Int8Array(length).fill(splits.indexOf(split));
  return { kind: 'dictionary', length, indices, dictionary: splits, validity: null };
}
