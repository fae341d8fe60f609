import { contracts, createClient } from '../../proto/index.js';
import { type EncodedMessage, joinBody } from '../platform/arrow-messages.js';
import { ServiceError } from '../platform/errors.js';

export interface DatasetVersion {
  /** `datasets/NAME/versions/N`. */
  name: string;
  /** Over schema and values. */
  digest: string;
  /** In order. */
  columns: readonly string[];
  rowCount: number;
}

/** One message of an Arrow stream as it came: a bare flatbuffer, and the buffers it speaks of. */
export interface ReceivedMessage {
  header: Uint8Array;
  body: Uint8Array;
}

/** What inference asks of preprocessing, for batch predictions only. Failures are `RpcError`s. */
export class PreprocessingClient {
  readonly #service;
  readonly #flight;

  /** @param address host:port */
  constructor(address: string, messageBytesMax?: number) {
    this.#service = createClient(contracts.preprocessing, address, { messageBytesMax });
    this.#flight = createClient(contracts.flight, address, { messageBytesMax });
  }

  close(): void {
    this.#service.close();
    this.#flight.close();
  }

  /** @param name `datasets/NAME` for the latest version, or `datasets/NAME/versions/N` */
  async datasetVersion(name: string, signal: AbortSignal): Promise<DatasetVersion> {
    const version = await this.#service.getDatasetVersion({ name }, { signal });
    return {
      name: version.name,
      digest: version.digest,
      columns: version.columns.map((column) => column.name),
      rowCount: version.rowCount,
    };
  }

  /** The rows of a version as they are stored: the schema first, then dictionaries and record batches. */
  async *rows(version: string, signal: AbortSignal): AsyncGenerator<ReceivedMessage, void> {
    for await (const { dataHeader, dataBody } of this.#flight.doGet({ ticket: Buffer.from(version) }, { signal })) {
      // A message without a header carries metadata only.
      if (dataHeader.length > 0) {
        yield { header: dataHeader, body: dataBody };
      }
    }
  }

  /**
   * Makes a version of `dataset` from an Arrow stream, or nothing at all when `messages` fails or the call is aborted.
   * @returns its name
   */
  async put(dataset: string, messages: AsyncIterable<EncodedMessage>, signal: AbortSignal): Promise<string> {
    for await (const { appMetadata } of this.#flight.doPut(toFlightData(dataset, messages), { signal })) {
      // Only the last result names the version; those before it count what has come.
      const { name } = JSON.parse(appMetadata.toString()) as { name?: string };
      if (name !== undefined) {
        return name;
      }
    }
    throw new ServiceError(
      'INTERNAL',
      'PUT_UNANSWERED',
      'Preprocessing took the rows and answered no dataset version.',
    );
  }
}

async function* toFlightData(dataset: string, messages: AsyncIterable<EncodedMessage>) {
  let isFirst = true;
  for await (const message of messages) {
    yield {
      flightDescriptor: isFirst ? { type: 'PATH' as const, path: dataset.split('/') } : null,
      dataHeader: message.header,
      dataBody: joinBody(message),
    };
    isFirst = false;
  }
}
