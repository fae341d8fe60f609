import { ArrowReader, readSchema } from '../arrow-reader.js';
import { type BatchWriter, createBatchWriter } from '../batch-writer.js';
import { sliceChunk } from '../chunk-slice.js';
import { type Column, typeName } from '../column.js';
import { openCompression, withPlainBuffers } from './arrow-compression.js';
import { bodyBytesMax, type FileMessage, located, readFooterSchema, readMessages } from './arrow-file.js';
import { refuseGivenTypes } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import { batchBytesMax, type ImportBatch, type ImportContext, type ImportSource } from './import-source.js';

/** A batch up to this size is kept as it came. */
const keptBytesMax = 2 * batchBytesMax;

/** Opens Arrow IPC files, of the file format (Feather 2) or the stream format. Everything in them is checked, then kept as it came, but for compression. */
export async function openArrow(files: readonly ImportFile[], context: ImportContext): Promise<ImportSource> {
  refuseGivenTypes(context.types, 'Arrow');
  const [first, ...others] = files;
  const { header, columns } = await readSchemaOf(first!);
  for (const file of others) {
    checkSameColumns(file.path, (await readSchemaOf(file)).columns, first!.path, columns);
  }
  const source = { columns, batches: readFiles(files, columns, context.signal) };
  return header ? { ...source, schema: { header, body: [], bodyBytes: 0 } } : source;
}

/** Arrow for JavaScript leaves the schema out where the file format has it first: it stands in the footer too. */
async function readSchemaOf(file: ImportFile): Promise<{ header: Uint8Array | null; columns: Column[] }> {
  const inFooter = await readFooterSchema(file);
  for await (const { message, header } of readMessages(file)) {
    return inFooter && message.kind !== 'schema'
      ? { header: null, columns: inFooter }
      : { header, columns: await located(file.path, 0, () => readSchema(header)) };
  }
  throw invalidFile(file.path, 'Expected an Arrow file but it has no schema and no rows.');
}

/** The numbers of dictionaries too: rows of all files will be read by the schema of the first. */
function checkSameColumns(path: string, columns: Column[], first: string, expected: Column[]): void {
  const text = (of: Column[]) => of.map(({ name, type }) => `${name} ${typeName(type)}`).join(', ');
  const ids = (of: Column[]) => of.map(({ type }) => (type.kind === 'dictionary' ? type.id : '')).join();
  if (text(columns) !== text(expected) || ids(columns) !== ids(expected)) {
    throw invalidFile(path, `Expected the schema of ${first}, ${text(expected)}, but received ${text(columns)}.`);
  }
}

async function* readFiles(
  files: readonly ImportFile[],
  columns: Column[],
  signal: AbortSignal,
): AsyncGenerator<ImportBatch> {
  const writer = await createBatchWriter();
  for (const file of files) {
    const reader = new ArrowReader(columns);
    let isFirst = true;
    for await (const fileMessage of readMessages(file)) {
      signal.throwIfAborted();
      const isOpening = isFirst && fileMessage.message.kind === 'schema';
      isFirst = false;
      if (isOpening) {
        continue;
      }
      const { at, bytes } = fileMessage;
      const { header, body } = await located(file.path, at, () => decompressed(fileMessage, writer));
      const message = await located(file.path, at, () => reader.read(header, body));
      if (message.kind === 'dictionary' || message.body.length <= keptBytesMax) {
        const chunks = message.kind === 'batch' ? message.chunks : [];
        const kept = { header, body: [message.body], bodyBytes: message.body.length };
        yield { chunks, messages: [kept], bytesDone: bytes };
      } else {
        yield* cut(message, columns, writer, bytes);
      }
    }
  }
}

async function decompressed({ message, header, body }: FileMessage, writer: BatchWriter) {
  const compression = message.kind === 'schema' ? null : message.batch.compression;
  return message.kind === 'schema' || compression === null
    ? { header, body }
    : withPlainBuffers(message, body, await openCompression(compression), writer, bodyBytesMax);
}

/** A batch that is too large for a message, in parts. */
function* cut(
  { length, chunks, body }: { length: number; chunks: ImportBatch['chunks']; body: Uint8Array },
  columns: readonly Column[],
  writer: BatchWriter,
  bytes: number,
): Generator<ImportBatch> {
  const types = columns.map(({ type }) => type);
  const rows = Math.max(1, Math.floor((batchBytesMax / body.length) * length));
  for (let from = 0; from < length; from += rows) {
    const to = Math.min(from + rows, length);
    const part = chunks.map((chunk) => sliceChunk(chunk, from, to));
    const bytesDone = Math.round((bytes * (to - from)) / length);
    yield { chunks: part, messages: [writer.batch(to - from, types, part)], bytesDone };
  }
}
