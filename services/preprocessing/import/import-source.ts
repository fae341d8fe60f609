import type { ColumnChunk } from '../../pipeline/index.js';
import type { EncodedMessage } from '../../platform/arrow-messages.js';
import type { Column } from '../column.js';
import type { GivenTypes } from './given-types.js';
import type { MissingValues } from './missing-values.js';

/** Rows of an import, with the bytes that were read for them. */
export interface ImportBatch {
  chunks: ColumnChunk[];
  bytesDone: number;
  /** The rows as they are to be stored, where the file has them so; with no chunks, a dictionary. */
  messages?: EncodedMessage[];
}

/** A table that comes in batches. */
export interface ImportSource {
  columns: Column[];
  batches: AsyncIterable<ImportBatch>;
  /** Of batches that come with their messages. */
  schema?: EncodedMessage;
}

/** What an import may use while it runs. */
export interface ImportContext {
  /** Types that the caller has given, by column. */
  types: GivenTypes;
  /** Of CSV. */
  missingValues: MissingValues;
  /** A path under the drafts for what does not fit in memory; made and removed by whoever needs it. */
  spillFolder: string;
  /** What a file is may be guessed from its beginning; reading it may then end with `NotAsGuessed`. */
  mayGuess: boolean;
  /** Aborted when the caller has gone away. */
  signal: AbortSignal;
}

/** The rest of a file is not what its beginning let expect: it is to be opened again, and looked through first. */
export class NotAsGuessed extends Error {
  override readonly name = 'NotAsGuessed';
}

/** A batch is cut where one of these is reached. */
export const batchBytesMax = 8 * 1024 * 1024;
export const batchRowsMax = 65_536;
