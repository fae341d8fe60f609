import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';

/** Files that cannot be sent. */
export class InvalidFileError extends Error {
  override readonly name = 'InvalidFileError';
}

/** A file of this machine, and where it is in an upload. */
export interface LocalFile {
  file: string;
  uploadPath: string;
  sizeBytes: number;
}

/** Files of this machine as one upload. */
export interface LocalFiles {
  files: LocalFile[];
  /** A path in the upload for each that was given. */
  uploadPaths: string[];
  /** Folders in the upload, and what they are here. */
  folders: [uploadFolder: string, local: string][];
}

/** Of folders in folders, as the service takes them. */
const depthMax = 3;

/**
 * Finds what paths name: folders with what is in them, but for names that start with a dot. Each path has a numbered folder in the
 * upload, in the order of the paths' names: whatever order they are given in, the upload is the same.
 */
export async function findFiles(paths: readonly string[]): Promise<LocalFiles> {
  const found: LocalFiles = { files: [], uploadPaths: [], folders: [] };
  const digits = String(paths.length).length;
  const absolute = paths.map((given) => path.resolve(given)).sort();
  for (const [i, local] of absolute.entries()) {
    const uploadFolder = String(i).padStart(digits, '0');
    const { isFile, sizeBytes } = await statFile(local);
    if (isFile) {
      const uploadPath = `${uploadFolder}/${path.basename(local)}`;
      found.files.push({ file: local, uploadPath, sizeBytes });
      found.uploadPaths.push(uploadPath);
      found.folders.push([uploadFolder, path.dirname(local)]);
    } else {
      found.files.push(...(await filesIn(local, uploadFolder, 0)));
      found.uploadPaths.push(uploadFolder);
      found.folders.push([uploadFolder, local]);
    }
  }
  return found;
}

async function filesIn(local: string, uploadFolder: string, depth: number): Promise<LocalFile[]> {
  if (depth > depthMax) {
    throw new InvalidFileError(`${local}: Expected folders in folders at most ${depthMax} deep.`);
  }
  const names = (await readdir(local)).filter((name) => !name.startsWith('.')).sort();
  if (names.length === 0) {
    throw new InvalidFileError(`${local}: Expected a folder with files but it is empty.`);
  }
  const files: LocalFile[] = [];
  for (const name of names) {
    const file = path.join(local, name);
    const uploadPath = `${uploadFolder}/${name}`;
    const { isFile, sizeBytes } = await statFile(file);
    if (isFile) {
      files.push({ file, uploadPath, sizeBytes });
    } else {
      for (const one of await filesIn(file, uploadPath, depth + 1)) {
        files.push(one);
      }
    }
  }
  return files;
}

async function statFile(file: string): Promise<{ isFile: boolean; sizeBytes: number }> {
  const found = await stat(file);
  if (!found.isFile() && !found.isDirectory()) {
    throw new InvalidFileError(`${file}: Expected a file or a folder.`);
  }
  return { isFile: found.isFile(), sizeBytes: found.size };
}
