import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { invalidField, ServiceError } from '../../platform/errors.js';

/** A file to import. */
export interface ImportFile {
  path: string;
  sizeBytes: number;
}

/** Where an import reads and how far it is. */
export interface ImportProgress {
  rowCount: number;
  bytesDone: number;
  bytesTotal: number;
}

/** A file whose content cannot be imported; `position` says where. */
export function invalidFile(file: string, problem: string): ServiceError {
  return new ServiceError('INVALID_ARGUMENT', 'INVALID_FILE', `${file}: ${problem}`);
}

/** The files behind paths: a folder gives its files in name order. */
export async function listFiles(paths: readonly string[]): Promise<ImportFile[]> {
  if (paths.length === 0) {
    throw invalidField('paths', 'Expected `paths` to name at least one file or folder but received none.');
  }
  const files: ImportFile[] = [];
  for (const [i, given] of paths.entries()) {
    if (!path.isAbsolute(given)) {
      const field = `paths[${i}]`;
      throw invalidField(field, `Expected \`${field}\` to be an absolute path but received ${JSON.stringify(given)}.`);
    }
    files.push(...(await filesAt(given)));
  }
  const twice = files.find(({ path: one }, i) => files.findIndex((file) => file.path === one) !== i);
  if (twice) {
    throw invalidField('paths', `Expected \`paths\` to name each file once but received ${twice.path} twice.`);
  }
  return files;
}

async function filesAt(given: string): Promise<ImportFile[]> {
  const found = await statFile(given);
  if (found.isFile()) {
    return [{ path: path.resolve(given), sizeBytes: found.size }];
  }
  if (!found.isDirectory()) {
    throw invalidFile(given, 'Expected a file or a folder.');
  }
  // Names that start with a dot are the system's own.
  const names = (await readdir(given)).filter((name) => !name.startsWith('.')).sort();
  if (names.length === 0) {
    throw invalidFile(given, 'Expected a folder with files but it is empty.');
  }
  const files = [];
  for (const name of names) {
    const file = path.resolve(given, name);
    const { size, ...entry } = await statFile(file).then((one) => ({ size: one.size, isFile: one.isFile() }));
    if (!entry.isFile) {
      throw invalidFile(file, 'Expected a folder of files only but this is none. Name the files themselves.');
    }
    files.push({ path: file, sizeBytes: size });
  }
  return files;
}

async function statFile(file: string) {
  try {
    return await stat(file);
  } catch (error) {
    throw pathError(file, error);
  }
}

/** What a system error about a path means for whoever named it; other errors are passed through. */
function pathError(file: string, error: unknown): unknown {
  switch ((error as NodeJS.ErrnoException).code) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new ServiceError('NOT_FOUND', 'FILE_NOT_FOUND', `There is no ${file} on the service's machine.`);
    case 'EACCES':
    case 'EPERM':
      return new ServiceError('PERMISSION_DENIED', 'FILE_UNREADABLE', `The service may not read ${file}.`);
    default:
      return error;
  }
}

export async function openFile(file: string): Promise<FileHandle> {
  try {
    return await open(file, 'r');
  } catch (error) {
    throw pathError(file, error);
  }
}
