import type { FlightData__Output } from '../../proto/gen/arrow/flight/protocol/FlightData.js';
import type { FlightDescriptor__Output } from '../../proto/gen/arrow/flight/protocol/FlightDescriptor.js';
import type { FlightInfo } from '../../proto/gen/arrow/flight/protocol/FlightInfo.js';
import { contracts } from '../../proto/index.js';
import { encapsulate, joinBody } from '../platform/arrow-messages.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import { type PutMessage, putDataset } from './flight-put.js';
import { describeFlight, type Flight, flightMessages, listFlights, resolveFlight } from './flights.js';
import type { Preparation } from './preparation.js';

/** `arrow.flight.protocol.FlightService`: rows of datasets and of prepared splits, in Arrow's interprocess format. */
export function flightService(preparation: Preparation): ImplementedContract {
  return implement(contracts.flight, {
    async *ListFlights() {
      for (const flight of listFlights(preparation)) {
        yield await toFlightInfo(flight, preparation);
      }
    },
    async GetFlightInfo(descriptor) {
      return toFlightInfo(resolveFlight(nameOf(descriptor), 'descriptor'), preparation);
    },
    async GetSchema(descriptor) {
      const { schema } = await describeFlight(resolveFlight(nameOf(descriptor), 'descriptor'), preparation);
      return { schema: encapsulate(schema) };
    },
    async *DoGet({ ticket }) {
      const flight = resolveFlight(ticket.toString('utf8'), 'ticket');
      for await (const message of flightMessages(flight, preparation)) {
        yield { dataHeader: message.header, dataBody: joinBody(message) };
      }
    },
    async *DoPut(requests, { signal }) {
      const put = putDataset(preparation.datasets, fromFlightData(requests), signal);
      for await (const result of put) {
        yield { appMetadata: Buffer.from(JSON.stringify(result)) };
      }
    },
    async *ListActions() {},
  });
}

/** A descriptor names a resource by path, or as the text of a command. */
function nameOf({ path, cmd }: FlightDescriptor__Output): string {
  return path.length > 0 ? path.join('/') : cmd.toString('utf8');
}

async function* fromFlightData(requests: AsyncIterable<FlightData__Output>): AsyncGenerator<PutMessage> {
  for await (const { flightDescriptor, dataHeader, dataBody } of requests) {
    yield { name: flightDescriptor && nameOf(flightDescriptor), header: dataHeader, body: dataBody };
  }
}

async function toFlightInfo(flight: Flight, preparation: Preparation): Promise<FlightInfo> {
  const { name, schema, rowCount, sizeBytes } = await describeFlight(flight, preparation);
  return {
    schema: encapsulate(schema),
    flightDescriptor: { type: 'PATH', path: name.split('/') },
    // No location: the rows are where this answer came from.
    endpoint: [{ ticket: { ticket: Buffer.from(name) } }],
    totalRecords: rowCount,
    totalBytes: sizeBytes,
    ordered: true,
  };
}
