import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import { invalidField, ServiceError } from '../../platform/errors.js';
import { AllowedFolders } from './allowed-folders.js';

/** A file to import. */
export interface ImportFile {
  path: string;
  /** Between the folder that was named and the file. */
  folders: string[];
  sizeBytes: number;
}

/** Where an import reads and how far it is. */
export interface ImportProgress {
  rowCount: number;
  bytesDone: number;
  bytesTotal: number;
  /** While addresses are fetched, before any row is read; else 0. */
  fetchedBytes: number;
  fetchBytesTotal: number;
}

/** A file whose content cannot be imported; `position` says where. */
export function invalidFile(file: string, problem: string): ServiceError {
  return new ServiceError('INVALID_ARGUMENT', 'INVALID_FILE', `${file}: ${problem}`);
}

/** What an import names. */
export interface ImportPath {
  /** As it was named, without what is secret in it. */
  given: string;
  path: string;
  /** It is our own copy of what is somewhere else: it may be where paths may not. */
  isFetched: boolean;
}

const anywhere = new AllowedFolders([]);
const filesMax = 1_000_000;
/** Of folders in folders: a split, a class, and one to spare. */
const depthMax = 3;

/**
 * The files behind paths: a folder gives its files, and those of the folders in it. They are in the order of their names, whatever
 * order they were named in: rows are to be the same.
 */
export async function listFiles(paths: readonly ImportPath[], allowed: AllowedFolders): Promise<ImportFile[]> {
  if (paths.length === 0) {
    throw invalidField('paths', 'Expected `paths` to name at least one file or folder but received none.');
  }
  const files = new Map<string, ImportFile>();
  const inOrder = [...paths.entries()].sort(([, a], [, b]) => compare(a.given, b.given));
  for (const [i, { path: given, isFetched }] of inOrder) {
    if (!path.isAbsolute(given)) {
      const field = `paths[${i}]`;
      throw invalidField(field, `Expected \`${field}\` to be an absolute path but received ${JSON.stringify(given)}.`);
    }
    for await (const file of filesAt(path.resolve(given), [], isFetched ? anywhere : allowed)) {
      if (files.has(file.path)) {
        throw invalidField('paths', `Expected \`paths\` to name each file once but received ${file.path} twice.`);
      }
      if (files.size === filesMax) {
        throw invalidField('paths', `Expected \`paths\` to name at most ${filesMax} files but there are more.`);
      }
      files.set(file.path, file);
    }
  }
  const named = [...files.values()].map((file) => ({
    file,
    name: [...file.folders, path.basename(file.path)].join('/'),
  }));
  return named.sort((a, b) => compare(a.name, b.name)).map(({ file }) => file);
}

const compare = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);

async function* filesAt(given: string, folders: string[], allowed: AllowedFolders): AsyncGenerator<ImportFile> {
  await allowed.check(given);
  const found = await statFile(given);
  if (found.isFile()) {
    yield { path: given, folders: folders.slice(0, -1), sizeBytes: found.size };
    return;
  }
  if (!found.isDirectory()) {
    throw invalidFile(given, 'Expected a file or a folder.');
  }
  if (folders.length > depthMax) {
    throw invalidFile(given, `Expected folders in folders at most ${depthMax} deep.`);
  }
  // Names that start with a dot are the system's own.
  const names = (await readFolder(given)).filter((name) => !name.startsWith('.')).sort();
  if (names.length === 0) {
    throw invalidFile(given, 'Expected a folder with files but it is empty.');
  }
  for (const name of names) {
    yield* filesAt(path.join(given, name), [...folders, name], allowed);
  }
}

async function readFolder(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    throw pathError(folder, error);
  }
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
