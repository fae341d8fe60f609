import { withoutCompression } from '../arrow-compression.js';
import { ArrowReader, readSchema } from '../arrow-reader.js';
import { storedParts } from '../batch-cut.js';
import { type Column, typeName } from '../column.js';
import { bodyBytesMax, located, readFooterSchema, readMessages } from './arrow-file.js';
import { refuseGivenTypes } from './given-types.js';
import { type ImportFile, invalidFile } from './import-file.js';
import type { ImportBatch, ImportContext, ImportSource } from './import-source.js';

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
      const { header, body } = await located(file.path, at, () => withoutCompression(fileMessage, bodyBytesMax));
      const message = await located(file.path, at, () => reader.read(header, body));
      if (message.kind === 'dictionary') {
        const kept = { header, body: [message.body], bodyBytes: message.body.length };
        yield { chunks: [], messages: [kept], bytesDone: bytes };
      } else {
        for await (const { length, chunks, message: kept } of storedParts(message, header, columns)) {
          const share = message.length > 0 ? length / message.length : 1;
          yield { chunks, messages: [kept], bytesDone: Math.round(bytes * share) };
        }
      }
    }
  }
}
