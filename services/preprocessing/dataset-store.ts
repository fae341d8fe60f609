import { randomUUID } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, rmdir } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { EncodedMessage } from '../platform/arrow-messages.js';
import { syncFolder, writeDurably } from '../platform/durable-file.js';
import { ServiceError } from '../platform/errors.js';
import { isId } from '../platform/resource-name.js';
import type { Column } from './column.js';
import { columnTypeSchema } from './column-type-schema.js';
import { type Dataset, type DatasetVersion, datasetName, datasetVersionName, versionNameOf } from './dataset.js';
import { DatasetDraft, type DraftContent, dataFile, metadataFile } from './dataset-draft.js';
import { DerivedFiles } from './derived-files.js';
import { StoredTable } from './stored-table.js';

const metadata = z.strictObject({
  format: z.literal('millrace.dataset/1'),
  digest: z.string(),
  columns: z.array(
    z.strictObject({
      name: z.string(),
      type: columnTypeSchema,
      shape: z.array(z.number()),
    }),
  ),
  nullCounts: z.array(z.number()),
  rowCount: z.number(),
  sizeBytes: z.number(),
  createTimeMs: z.number(),
  sources: z.array(z.string()),
});

/**
 * Dataset versions in folders, `NAME/N/` with an Arrow stream and its metadata. A version is written elsewhere, synced, and
 * renamed into place; a dataset is renamed away before it is deleted. So whatever stands under its name is whole.
 */
export class DatasetStore {
  readonly #versions = new Map<string, DatasetVersion[]>();
  #lastChange: Promise<unknown> = Promise.resolve();

  private constructor(
    private readonly folder: string,
    private readonly draftFolder: string,
    private readonly now: () => number,
  ) {}

  /** Opens the store under `parent`, and removes what a crash left half-done. */
  static async open(parent: string, now: () => number = Date.now): Promise<DatasetStore> {
    const store = new DatasetStore(path.join(parent, 'datasets'), path.join(parent, 'drafts'), now);
    await rm(store.draftFolder, { recursive: true, force: true });
    await mkdir(store.folder, { recursive: true });
    await mkdir(store.draftFolder, { recursive: true });
    await syncFolder(parent);
    for (const name of await readdir(store.folder)) {
      if (isId(name)) {
        await store.#load(name);
      }
    }
    return store;
  }

  async #load(dataset: string): Promise<void> {
    const folder = path.join(this.folder, dataset);
    const numbers = (await readdir(folder)).filter((entry) => /^[1-9]\d*$/.test(entry)).map(Number);
    if (numbers.length === 0) {
      // Left by a crash between making the folder and moving its first version in.
      await rmdir(folder);
      return;
    }
    const versions: DatasetVersion[] = [];
    // One after the other: thousands at once are more files than a process may open.
    for (const version of numbers.sort((a, b) => a - b)) {
      versions.push(await readMetadata(folder, dataset, version));
    }
    this.#versions.set(dataset, versions);
  }

  draft(columns: Column[], schema: EncodedMessage): Promise<DatasetDraft> {
    return DatasetDraft.create(path.join(this.draftFolder, randomUUID()), columns, schema);
  }

  /** A path of its own for what an import cannot hold in memory. */
  spillFolder(): string {
    return path.join(this.draftFolder, randomUUID());
  }

  /** Makes a draft the dataset's next version, safe on disk; or answers the version that holds the same content. */
  async commit(dataset: string, draft: DatasetDraft, sources: string[]): Promise<DatasetVersion> {
    const content = await draft.finish();
    return this.#exclusively(() => this.#publish(dataset, draft.folder, content, sources));
  }

  async #publish(dataset: string, draftFolder: string, content: DraftContent, sources: string[]) {
    const versions = this.#versions.get(dataset) ?? [];
    const same = versions.findLast(({ digest }) => digest === content.digest);
    if (same) {
      return same;
    }
    const version: DatasetVersion = {
      ...content,
      dataset,
      version: (versions.at(-1)?.version ?? 0) + 1,
      createTimeMs: this.now(),
      sources,
    };
    const { dataset: _, version: number, ...stored } = version;
    const text = JSON.stringify({ format: 'millrace.dataset/1', ...stored });
    await writeDurably(path.join(draftFolder, metadataFile), text);
    const folder = path.join(this.folder, dataset);
    await mkdir(folder, { recursive: true });
    await syncFolder(this.folder);
    await rename(draftFolder, path.join(folder, String(number)));
    await syncFolder(folder);
    this.#versions.set(dataset, [...versions, version]);
    return version;
  }

  /** Changes follow one another: the number of a version is decided once. */
  #exclusively<T>(change: () => Promise<T>): Promise<T> {
    const result = this.#lastChange.then(change);
    this.#lastChange = result.catch(() => undefined);
    return result;
  }

  /** By name. */
  listDatasets(): Dataset[] {
    return [...this.#versions.keys()].sort().map((name) => this.getDataset(name));
  }

  getDataset(name: string): Dataset {
    const versions = this.listVersions(name);
    return { name, createTimeMs: versions[0]!.createTimeMs, latestVersion: versions.at(-1)!.version };
  }

  /** Oldest first. */
  listVersions(dataset: string): readonly DatasetVersion[] {
    const versions = this.#versions.get(dataset);
    if (!versions) {
      throw notFound(datasetName.format({ dataset }), 'See ListDatasets for the datasets there are.');
    }
    return versions;
  }

  getVersion(dataset: string, version: number | 'latest'): DatasetVersion {
    const versions = this.listVersions(dataset);
    const found = version === 'latest' ? versions.at(-1) : versions.find((one) => one.version === version);
    if (!found) {
      const name = versionNameOf({ dataset, version: version as number });
      throw notFound(name, `Its newest version is ${versions.at(-1)!.version}.`);
    }
    return found;
  }

  /** `datasets/NAME` for the latest version, or `datasets/NAME/versions/N`. */
  resolve(name: string, field: string): DatasetVersion {
    const versioned = datasetVersionName.match(name);
    if (versioned) {
      return this.getVersion(versioned.dataset, Number(versioned.version));
    }
    return this.getVersion(datasetName.parse(name, field).dataset, 'latest');
  }

  deleteDataset(dataset: string): Promise<void> {
    return this.#exclusively(async () => {
      this.listVersions(dataset);
      const grave = path.join(this.draftFolder, randomUUID());
      await rename(path.join(this.folder, dataset), grave);
      this.#versions.delete(dataset);
      await syncFolder(this.folder);
      await rm(grave, { recursive: true });
    });
  }

  /** What is kept of a version beside its rows. */
  derivedFiles({ dataset, version, digest }: DatasetVersion): DerivedFiles {
    return new DerivedFiles(path.join(this.folder, dataset, String(version)), digest);
  }

  /** A new folder for what is only needed while `work` runs; it is removed after it. */
  async withScratch<T>(work: (folder: string) => Promise<T>): Promise<T> {
    const folder = path.join(this.draftFolder, randomUUID());
    await mkdir(folder);
    try {
      return await work(folder);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Opens a version's rows; they stay readable until closed, even when the dataset is deleted. */
  async openTable({ dataset, version, columns }: DatasetVersion): Promise<StoredTable> {
    try {
      return await StoredTable.open(path.join(this.folder, dataset, String(version), dataFile), columns);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') {
        throw notFound(versionNameOf({ dataset, version }), 'It was deleted a moment ago.');
      }
      throw error;
    }
  }
}

async function readMetadata(folder: string, dataset: string, version: number): Promise<DatasetVersion> {
  const file = path.join(folder, String(version), metadataFile);
  try {
    const { format: _, ...stored } = metadata.parse(JSON.parse(await readFile(file, 'utf8')));
    return { ...stored, dataset, version };
  } catch (error) {
    const message = `The file ${file} is damaged: ${(error as Error).message}. Restore it, or remove the folder of the dataset.`;
    throw new ServiceError('DATA_LOSS', 'METADATA_DAMAGED', message, { cause: error });
  }
}

function notFound(name: string, hint: string): ServiceError {
  return new ServiceError('NOT_FOUND', 'DATASET_NOT_FOUND', `There is no ${name}. ${hint}`);
}
