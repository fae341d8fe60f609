import type { FlightData__Output } from '../../proto/gen/arrow/flight/protocol/FlightData.js';
import type { FlightDescriptor__Output } from '../../proto/gen/arrow/flight/protocol/FlightDescriptor.js';
import type { FlightInfo } from '../../proto/gen/arrow/flight/protocol/FlightInfo.js';
import { contracts } from '../../proto/index.js';
import { encapsulate } from '../platform/arrow-messages.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import { type PutMessage, putDataset } from './flight-put.js';
import { formatFlightRequest, parseFlightRequest } from './flight-request.js';
import { describeFlight, type FlightDescription, flightMessages, listFlights } from './flights.js';
import type { Preparation } from './preparation.js';
import { wholeTable } from './row-range.js';

/** `arrow.flight.protocol.FlightService`: rows of datasets and of prepared splits, in Arrow's interprocess format. */
export function flightService(preparation: Preparation): ImplementedContract {
  const describe = (descriptor: FlightDescriptor__Output) =>
    describeFlight(parseFlightRequest(nameOf(descriptor), 'descriptor'), preparation, 'descriptor');
  return implement(contracts.flight, {
    async *ListFlights() {
      for (const flight of listFlights(preparation)) {
        yield toFlightInfo(
          await describeFlight({ flight, columns: null, rows: wholeTable }, preparation, 'descriptor'),
        );
      }
    },
    async GetFlightInfo(descriptor) {
      return toFlightInfo(await describe(descriptor));
    },
    async GetSchema(descriptor) {
      const { schema } = await describe(descriptor);
      return { schema: encapsulate(schema) };
    },
    async *DoGet({ ticket }) {
      const request = parseFlightRequest(ticket.toString('utf8'), 'ticket');
      for await (const { header, body } of flightMessages(request, preparation)) {
        yield { dataHeader: header, dataBody: body };
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

function toFlightInfo({ request, schema, rowCount, sizeBytes }: FlightDescription): FlightInfo {
  const name = Buffer.from(formatFlightRequest(request));
  const isWhole = name.toString() === request.flight.name;
  return {
    schema: encapsulate(schema),
    flightDescriptor: isWhole ? { type: 'PATH', path: request.flight.name.split('/') } : { type: 'CMD', cmd: name },
    // No location: the rows are where this answer came from.
    endpoint: [{ ticket: { ticket: name } }],
    totalRecords: rowCount,
    totalBytes: sizeBytes,
    ordered: true,
  };
}
