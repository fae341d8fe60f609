import path from 'node:path';
import type { DatasetVersion__Output as DatasetVersion } from '../../proto/gen/millrace/v1/DatasetVersion.js';
import type { ImportProgress__Output as ProgressMessage } from '../../proto/gen/millrace/v1/ImportProgress.js';
import type { PreprocessingServiceClient } from '../../proto/gen/millrace/v1/PreprocessingService.js';
import { type RpcClient, RpcError } from '../../proto/index.js';
import { type ImportFormatName, importFormats } from './import-formats.js';
import { uploadFiles } from './upload.js';
import { findFiles, type LocalFiles } from './upload-files.js';

/** How far an import is. */
export interface ImportProgress {
  /** Files are sent to the service, it fetches addresses, and then reads all. */
  phase: 'upload' | 'fetch' | 'read';
  /** Rows read so far. */
  rowCount: number;
  /** In this phase. */
  bytesDone: number;
  bytesTotal: number;
}

/** How files are imported. */
export interface ImportOptions {
  /** Default: recognised. */
  format?: ImportFormatName;
  /** Arrow types by column, where they are not to be inferred. */
  types?: Record<string, string>;
  /** Of CSV and TSV: how missing values are spelled in every column. Default: NA, null and their like, in columns of numbers or times. */
  missingValues?: string[];
  /** Sends the files to the service. Default: where it is on another machine; else it reads them itself. */
  upload?: boolean;
  onProgress?: (progress: ImportProgress) => void;
  signal?: AbortSignal;
}

const isAddress = (given: string) => /^[a-z][a-z0-9+.-]*:\/\//i.test(given);

/** @param paths files and folders, absolute or relative, and addresses */
export async function importDataset(
  client: RpcClient<PreprocessingServiceClient>,
  dataset: string,
  paths: readonly string[],
  options: ImportOptions,
): Promise<DatasetVersion> {
  const { signal, upload = false, onProgress = () => {} } = options;
  const [addresses, local] = [paths.filter(isAddress), paths.filter((given) => !isAddress(given))];
  if (!upload || local.length === 0) {
    return runImport(client, dataset, [...addresses, ...local.map((given) => path.resolve(given))], options);
  }
  const found = await findFiles(local);
  const bytesTotal = found.files.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  const tell = (bytesDone: number) => onProgress({ phase: 'upload', rowCount: 0, bytesDone, bytesTotal });
  const name = await uploadFiles(client, found.files, tell, signal);
  const uploaded = found.uploadPaths.map((inner) => `${name}/${inner}`);
  try {
    return await runImport(client, dataset, [...addresses, ...uploaded], options);
  } catch (error) {
    throw speakOfLocal(error, name, found);
  }
}

async function runImport(
  client: RpcClient<PreprocessingServiceClient>,
  dataset: string,
  paths: string[],
  { format, types, missingValues, onProgress, signal }: ImportOptions,
): Promise<DatasetVersion> {
  const request = {
    dataset,
    paths,
    format: format ? importFormats[format] : ('FORMAT_UNSPECIFIED' as const),
    types,
    missingValues,
  };
  let version: DatasetVersion | null = null;
  // To the end: the service has cleaned up by then.
  for await (const { progress, datasetVersion } of client.importDataset(request, { signal })) {
    version = datasetVersion ?? null;
    if (progress) {
      onProgress?.(toProgress(progress));
    }
  }
  if (!version) {
    throw new Error('The import ended without a dataset version.');
  }
  return version;
}

function toProgress(progress: ProgressMessage): ImportProgress {
  const { rowCount, bytesDone, bytesTotal, fetchedBytes, fetchBytesTotal } = progress;
  return fetchBytesTotal > 0
    ? { phase: 'fetch', rowCount, bytesDone: fetchedBytes, bytesTotal: fetchBytesTotal }
    : { phase: 'read', rowCount, bytesDone, bytesTotal };
}

/** An error that names files as they are on this machine. */
function speakOfLocal(error: unknown, upload: string, { folders }: LocalFiles): unknown {
  if (!(error instanceof RpcError)) {
    return error;
  }
  const told = (text: string) =>
    folders.reduce((now, [folder, local]) => now.replaceAll(`${upload}/${folder}`, local), text);
  const fieldViolations = error.details.fieldViolations.map(({ field, description }) => ({
    field,
    description: told(description),
  }));
  return new RpcError(error.code, told(error.message), { ...error.details, fieldViolations }, { cause: error });
}
