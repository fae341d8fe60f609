import type { ImportSource } from './idx-import.js';
import type { ImportFile } from './import-file.js';

export async function openCsv(files: readonly ImportFile[], _signal: AbortSignal): Promise<ImportSource> {
  throw new Error(`not yet: ${files.length}`);
}
