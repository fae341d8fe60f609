import { invalidField } from '../platform/errors.js';
import { streamedBytesMax, withoutCompression } from './arrow-compression.js';
import { ArrowReader, readSchema } from './arrow-reader.js';
import { storedParts } from './batch-cut.js';
import { type DatasetVersion, datasetName, versionNameOf } from './dataset.js';
import type { DatasetDraft } from './dataset-draft.js';
import type { DatasetStore } from './dataset-store.js';
import { malformedArrow } from './malformed-arrow.js';
import { type BatchReceived, PutProgress } from './put-progress.js';

/** One message that a client sends. */
export interface SentMessage {
  /** What the descriptor says; in the first message only. */
  name: string | null;
  /** Bare flatbuffer; empty: no table data. */
  header: Uint8Array;
  body: Uint8Array;
  appMetadata: Uint8Array;
}

/** What is told once the rows are safe. */
export interface PutResult {
  name: string;
  digest: string;
  rowCount: number;
}

/**
 * Makes a dataset version from an Arrow stream, keeping its types. Tells of each batch that it is there, and in the end the
 * version. Nothing is kept of a stream that is refused or ends early.
 */
export async function* putDataset(
  store: DatasetStore,
  messages: AsyncIterable<SentMessage>,
  signal: AbortSignal,
): AsyncGenerator<BatchReceived | PutResult> {
  const progress = new PutProgress();
  const version = receive(store, messages, signal, progress).finally(() => progress.close());
  // It may fail while nobody waits for it; whoever does in the end learns of it.
  version.catch(() => undefined);
  try {
    yield* progress;
    const made = await version;
    yield { name: versionNameOf(made), digest: made.digest, rowCount: made.rowCount };
  } finally {
    await version.catch(() => undefined);
  }
}

async function receive(
  store: DatasetStore,
  messages: AsyncIterable<SentMessage>,
  signal: AbortSignal,
  progress: PutProgress,
): Promise<DatasetVersion> {
  let put: Put | null = null;
  try {
    for await (const { name, header, body } of messages) {
      signal.throwIfAborted();
      if (!put) {
        put = await openPut(store, name, header);
      } else if (header.length > 0) {
        const received = await put.append(header, body);
        if (received) {
          progress.push(received);
        }
      }
    }
    signal.throwIfAborted();
    if (!put) {
      throw malformedArrow('it ended before its first message');
    }
    return await store.commit(put.dataset, put.draft, ['flight']);
  } finally {
    await put?.draft.discard();
  }
}

async function openPut(store: DatasetStore, name: string | null, header: Uint8Array): Promise<Put> {
  if (name === null) {
    throw invalidField(
      'flight_descriptor',
      'Expected the first message to have a `flight_descriptor` but it has none.',
    );
  }
  const matched = datasetName.match(name);
  if (!matched) {
    const message = `Expected \`flight_descriptor\` to have the path ["datasets", NAME] but received ${JSON.stringify(name)}.`;
    throw invalidField('flight_descriptor', message);
  }
  const columns = readSchema(header);
  const draft = await store.draft(columns, { header, body: [], bodyBytes: 0 });
  return new Put(matched.dataset, draft);
}

class Put {
  readonly #reader: ArrowReader;
  #batches = 0;

  constructor(
    readonly dataset: string,
    readonly draft: DatasetDraft,
  ) {
    this.#reader = new ArrowReader(draft.columns);
  }

  /** Keeps a message as it came, but for compression, once it is checked. Null: it had no rows. */
  async append(header: Uint8Array, body: Uint8Array): Promise<BatchReceived | null> {
    const sent = { header, body };
    const plain = await withoutCompression(sent, streamedBytesMax);
    const message = this.#reader.read(plain.header, plain.body);
    const kept = { header: plain.header, body: [message.body], bodyBytes: message.body.length };
    if (message.kind === 'dictionary') {
      await this.draft.appendDictionary(kept);
      return null;
    }
    if (plain === sent) {
      await this.draft.append([kept], message.chunks);
    } else {
      // It may have become larger than a message can be.
      for await (const { message: part, chunks } of storedParts(message, plain.header, this.draft.columns)) {
        await this.draft.append([part], chunks);
      }
    }
    this.#batches++;
    return { batch: this.#batches, rowCount: this.#reader.rowCount };
  }
}
