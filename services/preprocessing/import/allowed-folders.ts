import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { ServiceError } from '../../platform/errors.js';

/** Folders that imports may read from, and what is in them. */
export class AllowedFolders {
  readonly #folders: Promise<string[]>;

  /** @param folders none: every folder that the service may read */
  constructor(folders: readonly string[]) {
    this.#folders = Promise.all(folders.map((folder) => realpath(folder).catch(() => path.resolve(folder))));
  }

  /** Refuses a path that leads outside, by a link too. */
  async check(given: string): Promise<void> {
    const folders = await this.#folders;
    if (folders.length === 0) {
      return;
    }
    const real = await realpath(given).catch(() => path.resolve(given));
    if (
      !folders.some(
        (folder) => real === folder || real.startsWith(folder.endsWith(path.sep) ? folder : folder + path.sep),
      )
    ) {
      const where = real === given ? given : `${given} (${real})`;
      const message = `Expected a path in ${folders.join(' or ')}, the folders that imports may read, but received ${where}.`;
      throw new ServiceError('PERMISSION_DENIED', 'PATH_NOT_ALLOWED', message);
    }
  }
}
