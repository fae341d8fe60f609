import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { crc32, createInflateRaw } from 'node:zlib';
import yauzl from 'yauzl';
import { ServiceError } from '../../platform/errors.js';
import { expandedBytesMax } from './expansion.js';
import { type ImportFile, invalidFile } from './import-file.js';

/** A file within a zip file. */
export interface ZipMember {
  name: string;
  sizeBytes: number;
  /** Its content; a stream of another length fails, and one of another checksum. */
  open(): Readable;
}

const [stored, deflated] = [0, 8];
const pieceBytes = 256 * 1024;
const membersMax = 1_000;
/**
 * The files in a zip file. A bomb is refused by what the directory says, and a member whose content is another than that when
 * it is read. The library reads the directory; its own streams fail the process when they are closed in the middle of a read.
 */
export async function listZip({ path: file, sizeBytes }: ImportFile): Promise<ZipMember[]> {
  const zip = await new Promise<yauzl.ZipFile>((resolve, reject) => {
    const options = { lazyEntries: true, autoClose: false };
    yauzl.open(file, options, (error, opened) => (error ? reject(invalidZip(file, error)) : resolve(opened)));
  });
  try {
    const entries = await readDirectory(zip, file);
    const expanded = entries.reduce((sum, { uncompressedSize }) => sum + uncompressedSize, 0);
    const compressed = entries.reduce((sum, { compressedSize }) => sum + compressedSize, 0);
    const expandedMax = expandedBytesMax(sizeBytes);
    if (expanded > expandedMax || compressed > sizeBytes) {
      const message = `Expected it to hold at most ${expandedMax} bytes, unpacked, in members that do not overlap, but it says ${expanded}.`;
      throw invalidFile(file, message);
    }
    const members: ZipMember[] = [];
    for (const entry of entries) {
      const start = await findContent(zip, entry, file);
      members.push({
        name: entry.fileName,
        sizeBytes: entry.uncompressedSize,
        open: () => Readable.from(readContent(file, entry, start)),
      });
    }
    return members;
  } finally {
    zip.close();
  }
}

function readDirectory(zip: yauzl.ZipFile, file: string): Promise<yauzl.Entry[]> {
  return new Promise((resolve, reject) => {
    const entries = new Map<string, yauzl.Entry>();
    zip.on('error', (error) => reject(invalidZip(file, error)));
    zip.on('end', () => resolve([...entries.values()]));
    zip.on('entry', (entry: yauzl.Entry) => {
      const { fileName: name } = entry;
      if (entries.size === membersMax) {
        reject(invalidFile(file, `Expected at most ${membersMax} members but it has ${zip.entryCount}.`));
      } else if (entries.has(name)) {
        reject(
          invalidFile(file, `Expected members with names of their own but two are called ${JSON.stringify(name)}.`),
        );
      } else if (entry.isEncrypted() || (entry.compressionMethod !== stored && entry.compressionMethod !== deflated)) {
        reject(
          invalidFile(
            `${file}: ${name}`,
            'Expected a member that is stored or deflated but it is packed or encrypted otherwise.',
          ),
        );
      } else {
        entries.set(name, entry);
        zip.readEntry();
      }
    });
    zip.readEntry();
  });
}

/** Where the content begins: behind a header whose length the directory does not tell. */
function findContent(zip: yauzl.ZipFile, entry: yauzl.Entry, file: string): Promise<number> {
  return new Promise((resolve, reject) => {
    zip.readLocalFileHeader(entry, { minimal: true }, (error, header) =>
      error ? reject(invalidZip(`${file}: ${entry.fileName}`, error)) : resolve(header.fileDataStart),
    );
  });
}

async function* readContent(file: string, entry: yauzl.Entry, start: number): AsyncGenerator<Buffer> {
  const { fileName, compressionMethod, compressedSize, uncompressedSize, crc32: expectedSum } = entry;
  const place = `${file}: ${fileName}`;
  let [size, sum] = [0, 0];
  if (compressedSize > 0) {
    const packed = createReadStream(file, { start, end: start + compressedSize - 1, highWaterMark: pieceBytes });
    const content = compressionMethod === stored ? packed : packed.pipe(createInflateRaw({ chunkSize: pieceBytes }));
    // A pipe does not pass on what fails before it.
    packed.on('error', (error) => content.destroy(error));
    try {
      for await (const piece of content as AsyncIterable<Buffer>) {
        size += piece.length;
        if (size > uncompressedSize) {
          throw invalidFile(place, `Expected ${uncompressedSize} bytes, as the directory says, but it has more.`);
        }
        sum = crc32(piece, sum);
        yield piece;
      }
    } catch (error) {
      throw invalidZip(place, error);
    } finally {
      packed.destroy();
      content.destroy();
    }
  }
  if (size < uncompressedSize) {
    throw invalidFile(place, `Expected ${uncompressedSize} bytes, as the directory says, but it has ${size}.`);
  }
  if (sum !== expectedSum) {
    throw invalidFile(place, 'Expected the content that its checksum was made of but received other bytes.');
  }
}

/** The library's account of a broken file; errors of the system, which have a code, are passed through. */
function invalidZip(file: string, error: unknown): unknown {
  const isOwn = error instanceof ServiceError || !(error instanceof Error);
  const isSystem = !isOwn && 'code' in error && !String(error.code).startsWith('Z_');
  return isOwn || isSystem ? error : invalidFile(file, `It cannot be read as a zip file: ${error.message}.`);
}
