import type { EncodedMessage } from '../platform/arrow-messages.js';
import { invalidField } from '../platform/errors.js';
import { checkBatch, type Dictionaries, decodeColumn, layOut } from './arrow-batch.js';
import { type ArrowMessage, decodeMessage } from './arrow-message.js';
import { datasetName, versionNameOf } from './dataset.js';
import type { DatasetDraft } from './dataset-draft.js';
import type { DatasetStore } from './dataset-store.js';
import { refuseNonFinite } from './finite.js';
import { malformedArrow } from './malformed-arrow.js';
import { updateDictionaries } from './stored-table.js';

/** One message of a put. */
export interface PutMessage {
  /** Of the resource to make; in the first message only. */
  name: string | null;
  /** Bare flatbuffer; empty: no table data. */
  header: Uint8Array;
  body: Uint8Array;
}

/** What is told once the rows are safe. */
export interface PutResult {
  name: string;
  digest: string;
  rowCount: number;
}

/** Makes a dataset version from an Arrow stream, keeping its types. Nothing is kept of a stream that is refused or ends early. */
export async function* putDataset(
  store: DatasetStore,
  messages: AsyncIterable<PutMessage>,
  signal: AbortSignal,
): AsyncGenerator<PutResult> {
  let put: Put | null = null;
  try {
    for await (const { name, header, body } of messages) {
      signal.throwIfAborted();
      if (!put) {
        put = await openPut(store, name, header);
      } else if (header.length > 0) {
        await put.append(header, body);
      }
    }
    signal.throwIfAborted();
    if (!put) {
      throw malformedArrow('it ended before its first message');
    }
    const version = await store.commit(put.dataset, put.draft, ['flight']);
    yield { name: versionNameOf(version), digest: version.digest, rowCount: version.rowCount };
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
  if (header.length === 0) {
    throw malformedArrow('the first message has no schema');
  }
  const message = decodeMessage(header);
  if (message.kind !== 'schema') {
    throw malformedArrow(`the first message is a ${message.kind} where the schema should be`);
  }
  const draft = await store.draft(message.columns, { header, body: [], bodyBytes: 0 });
  return new Put(matched.dataset, draft);
}

class Put {
  #dictionaries: Dictionaries = new Map();

  constructor(
    readonly dataset: string,
    readonly draft: DatasetDraft,
  ) {}

  /** Checks a message in every part that a reader will rely on, then keeps it as it came. */
  async append(header: Uint8Array, body: Uint8Array): Promise<void> {
    const message = decodeMessage(header);
    if (message.kind === 'schema') {
      throw malformedArrow('a second schema came');
    }
    if (message.bodyBytes !== body.length || body.length % 8 !== 0) {
      throw malformedArrow(`a message announces a body of ${message.bodyBytes} bytes and has ${body.length}`);
    }
    // The bytes came in the middle of a larger message; Arrow's arrays must start at multiples of 8.
    const aligned = new Uint8Array(body);
    const kept: EncodedMessage = { header, body: [aligned], bodyBytes: aligned.length };
    if (message.kind === 'dictionary') {
      this.#dictionaries = updateDictionaries(this.#dictionaries, this.draft.columns, message, aligned);
      await this.draft.appendDictionary(kept);
      return;
    }
    await this.draft.append([kept], this.#decode(message, aligned));
  }

  #decode({ batch }: ArrowMessage & { kind: 'batch' }, body: Uint8Array) {
    const { columns, rowCount } = this.draft;
    checkBatch(columns, batch, body.length);
    const layout = layOut(columns);
    return columns.map((column, i) => {
      const read = ({ offset, length }: { offset: number; length: number }) => body.subarray(offset, offset + length);
      const chunk = decodeColumn(column, layout[i]!, batch, read, this.#dictionaries);
      refuseNonFinite(column.name, chunk, rowCount);
      return chunk;
    });
  }
}
