import { rename, rm } from 'node:fs/promises';
import { invalidField, ServiceError } from '../../platform/errors.js';
import { ResourceName } from '../../platform/resource-name.js';
import { Upload, type UploadPart, type UploadState } from './upload.js';

export const uploadName = new ResourceName('uploads/{upload}');

/** An upload, or a part of it, as a path of an import. */
const uploadPath = /^uploads\/([^/]*)(\/.*)?$/;

export interface UploadRules {
  /** Of all files of one upload. */
  bytesMax: number;
  /** How long one is kept that nobody sends to or imports, ms. */
  keepMs: number;
}

const uploadsMax = 64;

/** The upload, and the path in it, that a path of an import names; null: it names something else. */
export function parseUploadPath(given: string, field: string): { id: string; inner: string[] } | null {
  const [, id, rest = ''] = uploadPath.exec(given) ?? [];
  if (id === undefined) {
    return null;
  }
  const inner = rest.split('/').filter((segment) => segment !== '');
  if (inner.some((segment) => segment.startsWith('.'))) {
    throw invalidField(
      field,
      `Expected \`${field}\` to name a part of an upload but received ${JSON.stringify(given)}.`,
    );
  }
  return { id: uploadName.parse(`uploads/${id}`, field).upload, inner };
}

/** Files that callers send, until an import takes them. They are drafts: a service that starts has none. */
export class Uploads {
  readonly #all = new Map<string, { upload: Upload; expiry: NodeJS.Timeout }>();

  /** @param makeFolder gives the path of a new folder, which need not be there */
  constructor(
    private readonly makeFolder: () => string,
    private readonly rules: UploadRules,
  ) {}

  /**
   * Takes the messages of one call. What it brought stays where the caller has gone, and so does what was there before it came;
   * after any other failure nothing stays.
   */
  async receive(parts: AsyncIterable<UploadPart>, signal: AbortSignal): Promise<UploadState> {
    const iterator = parts[Symbol.asyncIterator]();
    try {
      const { value: first } = await iterator.next();
      if (!first || !('upload' in first)) {
        throw invalidField('upload', 'Expected `upload` in the first message.');
      }
      const { upload: id } = uploadName.parse(first.upload, 'upload');
      return await this.#receive(this.#open(id), iterator, signal);
    } finally {
      await iterator.return?.();
    }
  }

  async #receive(upload: Upload, parts: AsyncIterator<UploadPart>, signal: AbortSignal): Promise<UploadState> {
    try {
      await upload.receive(parts);
      return upload.state;
    } catch (error) {
      if (!signal.aborted) {
        await this.#drop(upload);
      }
      throw error;
    } finally {
      upload.isBusy = false;
      this.#all.get(upload.id)?.expiry.refresh();
    }
  }

  /** The upload, for this call alone. */
  #open(id: string): Upload {
    const found = this.#all.get(id)?.upload;
    if (found?.isBusy) {
      const message = `Another call sends to ${uploadName.format({ upload: id })}. Go on when it has ended.`;
      throw new ServiceError('ABORTED', 'UPLOAD_BUSY', message);
    }
    if (found) {
      found.isBusy = true;
      return found;
    }
    if (this.#all.size >= uploadsMax) {
      const message = `There are ${uploadsMax} uploads that no import has taken. Import one, or wait until one is removed.`;
      throw new ServiceError('RESOURCE_EXHAUSTED', 'TOO_MANY_UPLOADS', message);
    }
    const upload = new Upload(id, this.makeFolder(), this.rules.bytesMax);
    const expiry = setTimeout(() => void this.#expire(upload), this.rules.keepMs).unref();
    upload.isBusy = true;
    this.#all.set(id, { upload, expiry });
    return upload;
  }

  async #expire(upload: Upload): Promise<void> {
    if (upload.isBusy) {
      this.#all.get(upload.id)?.expiry.refresh();
    } else {
      // What cannot be removed now is removed by the next start.
      await this.#drop(upload).catch(() => undefined);
    }
  }

  async #drop(upload: Upload): Promise<void> {
    this.#forget(upload);
    await rm(upload.folder, { recursive: true, force: true });
  }

  #forget({ id }: Upload): void {
    clearTimeout(this.#all.get(id)?.expiry);
    this.#all.delete(id);
  }

  state(id: string): UploadState {
    return this.#find(id).state;
  }

  #find(id: string): Upload {
    const found = this.#all.get(id);
    if (!found) {
      const message = `There is no ${uploadName.format({ upload: id })}; it may have been imported, or removed after a while.`;
      throw new ServiceError('NOT_FOUND', 'UPLOAD_NOT_FOUND', message);
    }
    return found.upload;
  }

  /** Hands the files over: they are moved to `folder`, and the upload is no more. */
  async take(id: string, folder: string): Promise<void> {
    const upload = this.#find(id);
    if (!upload.isWhole) {
      const message = `${uploadName.format({ upload: id })} is not whole yet. Send the rest of its files first.`;
      throw new ServiceError('FAILED_PRECONDITION', 'UPLOAD_NOT_WHOLE', message);
    }
    this.#forget(upload);
    await rename(upload.folder, folder);
  }
}
