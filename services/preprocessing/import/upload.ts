import { createHash, type Hash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import path from 'node:path';
import { invalidField, quote, ServiceError } from '../../platform/errors.js';

/** A file that is announced; `path` is relative, with `/`. */
export interface AnnouncedFile {
  path: string;
  sizeBytes: number;
  /** Bytes of it that are there already. */
  offset: number;
}

/** One message of an upload; null: an empty one. */
export type UploadPart =
  | { upload: string }
  | { file: AnnouncedFile }
  | { chunk: Uint8Array }
  | { digest: string }
  | null;

/** How far an upload is. */
export interface UploadState {
  id: string;
  fileCount: number;
  sizeBytes: number;
  partialBytes: number;
}

/** A file on its way. */
interface PartialFile extends AnnouncedFile {
  target: string;
  /** That are on disk. */
  bytes: number;
}

const filesMax = 1_000_000;
const chunkBytesMax = 1024 * 1024;
const nameBytesMax = 255;
/** What an upload is given to hold, folders in folders as imports take them, and a name. */
const segmentsMax = 5;

/** Files that a caller sends, in a folder of their own. What breaks off halfway can be gone on with. */
export class Upload {
  /** A call that sends to it is open. */
  isBusy = false;
  #fileCount = 0;
  #wholeBytes = 0;
  #partial: PartialFile | null = null;

  constructor(
    readonly id: string,
    readonly folder: string,
    private readonly bytesMax: number,
  ) {}

  get state(): UploadState {
    const partialBytes = this.#partial?.bytes ?? 0;
    const sizeBytes = this.#wholeBytes + partialBytes;
    return { id: this.id, fileCount: this.#fileCount, sizeBytes, partialBytes };
  }

  get isWhole(): boolean {
    return !this.isBusy && !this.#partial && this.#fileCount > 0;
  }

  /** Takes what follows the first message of a call. */
  async receive(parts: AsyncIterator<UploadPart>): Promise<void> {
    for (let part = await parts.next(); !part.done; part = await parts.next()) {
      if (part.value === null || !('file' in part.value)) {
        throw invalidField('part', `Expected \`file\` but received ${kindOf(part.value)}.`);
      }
      await this.#receiveFile(await this.#begin(part.value.file), parts);
    }
    if (this.#fileCount === 0) {
      throw invalidField('file', 'Expected at least one file but received none.');
    }
  }

  async #begin(announced: AnnouncedFile): Promise<PartialFile> {
    const { path: given, sizeBytes, offset } = announced;
    const segments = given.split('/');
    if (segments.length > segmentsMax || !segments.every(isName)) {
      const rule = `a relative path of at most ${segmentsMax} names that are not empty, start with no dot and have at most ${nameBytesMax} bytes`;
      throw invalidField('file.path', `Expected \`file.path\` to be ${rule} but received ${quote(given)}.`);
    }
    if (!Number.isSafeInteger(sizeBytes) || sizeBytes < 0) {
      const message = `Expected \`file.size_bytes\` to be an integer from 0 but received ${quote(sizeBytes)}.`;
      throw invalidField('file.size_bytes', message);
    }
    const before = this.#partial;
    if (before && (before.path !== given || before.sizeBytes !== sizeBytes)) {
      const rest = `the rest of ${before.path}, ${before.sizeBytes} bytes`;
      throw invalidField('file', `Expected \`file\` to be ${rest}, but received ${quote(given)}, ${sizeBytes} bytes.`);
    }
    const held = before?.bytes ?? 0;
    if (offset !== held) {
      const message = `Expected \`file.offset\` to be ${held}, the bytes that are there of ${given}, but received ${quote(offset)}.`;
      throw invalidField('file.offset', message);
    }
    if (this.#wholeBytes + sizeBytes > this.bytesMax || this.#fileCount === filesMax) {
      const limit = `${this.bytesMax} bytes (\`uploadBytesMax\`) in ${filesMax} files`;
      throw new ServiceError('INVALID_ARGUMENT', 'UPLOAD_TOO_LARGE', `Expected at most ${limit} but there are more.`);
    }
    const target = path.join(this.folder, ...segments);
    return { path: given, sizeBytes, offset, target, bytes: held };
  }

  async #receiveFile(file: PartialFile, parts: AsyncIterator<UploadPart>): Promise<void> {
    const isNew = this.#partial === null;
    const hash = createHash('sha256');
    const handle = await this.#open(file, isNew);
    this.#partial = file;
    try {
      // Of a write that failed halfway there may be more than was counted.
      await handle.truncate(file.bytes);
      await hashFile(file, hash);
      await writeParts(file, handle, hash, parts);
    } finally {
      await handle.close();
    }
    this.#partial = null;
    this.#fileCount++;
    this.#wholeBytes += file.sizeBytes;
  }

  async #open({ path: given, target }: PartialFile, isNew: boolean): Promise<FileHandle> {
    try {
      await mkdir(path.dirname(target), { recursive: true });
      return await open(target, isNew ? 'ax' : 'a');
    } catch (error) {
      if (['EEXIST', 'ENOTDIR', 'EISDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) {
        const message = `Expected \`file.path\` to name each file once, and no file as a folder, but received ${quote(given)}.`;
        throw invalidField('file.path', message);
      }
      throw error;
    }
  }
}

async function hashFile({ target, bytes }: PartialFile, hash: Hash): Promise<void> {
  if (bytes > 0) {
    for await (const chunk of createReadStream(target, { end: bytes - 1 })) {
      hash.update(chunk as Buffer);
    }
  }
}

/** Writes what comes up to the digest, which must be that of all bytes. */
async function writeParts(
  file: PartialFile,
  handle: FileHandle,
  hash: Hash,
  parts: AsyncIterator<UploadPart>,
): Promise<void> {
  for (;;) {
    const { value: part, done } = await parts.next();
    if (done || part === null || 'upload' in part || 'file' in part) {
      throw invalidField(
        'part',
        `Expected \`chunk\` or \`digest\` of ${file.path} but received ${kindOf(part ?? null)}.`,
      );
    }
    if ('digest' in part) {
      checkWhole(file, part.digest, `sha256:${hash.digest('hex')}`);
      return;
    }
    if (part.chunk.length > chunkBytesMax) {
      const message = `Expected \`chunk\` to be at most ${chunkBytesMax} bytes but received ${part.chunk.length}.`;
      throw invalidField('chunk', message);
    }
    if (file.bytes + part.chunk.length > file.sizeBytes) {
      throw mismatch(file, 'more came');
    }
    hash.update(part.chunk);
    await handle.writeFile(part.chunk);
    file.bytes += part.chunk.length;
  }
}

function checkWhole(file: PartialFile, announced: string, digest: string): void {
  if (file.bytes !== file.sizeBytes) {
    throw mismatch(file, `${file.bytes} came`);
  }
  if (announced !== digest) {
    throw mismatch(file, `they have ${digest}, not ${quote(announced)}`);
  }
}

function mismatch({ path: given, sizeBytes }: PartialFile, actual: string): ServiceError {
  const message = `Expected ${sizeBytes} bytes of ${given} with their digest but ${actual}. Upload it again.`;
  return new ServiceError('INVALID_ARGUMENT', 'UPLOAD_MISMATCH', message);
}

function isName(segment: string): boolean {
  return segment !== '' && !/^\.|\0/.test(segment) && Buffer.byteLength(segment) <= nameBytesMax;
}

const kindOf = (part: UploadPart) => (part === null ? 'nothing' : `\`${Object.keys(part)[0]}\``);
