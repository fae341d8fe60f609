import { setTimeout as sleep } from 'node:timers/promises';
import { ServiceError } from '../../services/platform/errors.js';
import { type FolderLock, lockFolder } from '../../services/platform/folder-lock.js';

const retryMs = 200;

/** Test files start at the same time: one of them has the folder, the others wait for it. */
export async function waitForLock(folder: string): Promise<FolderLock> {
  for (;;) {
    try {
      return lockFolder(folder);
    } catch (error) {
      if (!(error instanceof ServiceError) || error.reason !== 'FOLDER_IN_USE') {
        throw error;
      }
      await sleep(retryMs);
    }
  }
}
