import * as arrow from 'apache-arrow';
import type { contracts, RpcClient } from '../../proto/index.js';
import { createMessageWriter, encapsulate, joinBody } from '../../services/platform/arrow-messages.js';

export type FlightClient = RpcClient<(typeof contracts.flight)['clientType']>;

/** Puts a table as a dataset version. @returns its name */
export async function putTable(flight: FlightClient, name: string, table: arrow.Table): Promise<string> {
  const writer = createMessageWriter(arrow);
  writer.schema(table.schema);
  for (const batch of table.batches) {
    writer.write(batch);
  }
  const messages = writer.take().map((message, i) => ({
    flightDescriptor: i === 0 ? { type: 'PATH' as const, path: name.split('/') } : null,
    dataHeader: message.header,
    dataBody: joinBody(message),
  }));
  for await (const { appMetadata } of flight.doPut(messages)) {
    const { name: made } = JSON.parse(appMetadata.toString()) as { name?: string };
    if (made !== undefined) {
      return made;
    }
  }
  throw new Error(`nothing came of ${name}`);
}

/** All rows of a dataset version. */
export async function getTable(flight: FlightClient, name: string): Promise<arrow.Table> {
  const parts: Uint8Array[] = [];
  for await (const { dataHeader, dataBody } of flight.doGet({ ticket: Buffer.from(name) })) {
    parts.push(encapsulate(dataHeader), dataBody);
  }
  return arrow.tableFromIPC(Buffer.concat(parts));
}
