import { mkdirSync } from 'node:fs';
import path from 'node:path';
import Database from 'libsql';
import { ServiceError } from './errors.js';

/** A folder that belongs to this process until it is released, or the process ends in whatever way. */
export interface FolderLock {
  release(): void;
}

/**
 * Takes a folder for this process alone; makes it where it is missing. The lock is SQLite's exclusive file lock, which the
 * system drops with the process: a kill leaves nothing to clean up.
 */
export function lockFolder(folder: string): FolderLock {
  mkdirSync(folder, { recursive: true });
  const database = new Database(path.join(folder, 'lock'), { timeout: 0 });
  try {
    database.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') {
      throw error;
    }
    const message = `The data folder ${folder} is in use by another Millrace process. Stop that one, or choose another folder with --data-dir.`;
    throw new ServiceError('FAILED_PRECONDITION', 'FOLDER_IN_USE', message, { cause: error });
  }
  return { release: () => database.close() };
}
