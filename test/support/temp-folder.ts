import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const folders: string[] = [];

/** Makes a new folder. In a test it is removed once its file has run (`clean-up.ts`). */
export function tempFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'millrace-'));
  folders.push(folder);
  return folder;
}

export function removeTempFolders(): void {
  for (const folder of folders.splice(0)) {
    rmSync(folder, { recursive: true, force: true });
  }
}
