import type { FlightData__Output } from '../../proto/gen/arrow/flight/protocol/FlightData.js';
import type { FlightDescriptor__Output } from '../../proto/gen/arrow/flight/protocol/FlightDescriptor.js';
import type { FlightInfo } from '../../proto/gen/arrow/flight/protocol/FlightInfo.js';
import type { PollInfo } from '../../proto/gen/arrow/flight/protocol/PollInfo.js';
import { contracts } from '../../proto/index.js';
import { encapsulate } from '../platform/arrow-messages.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import { flightActions, nameOf, runAction, ticketExpiration } from './flight-actions.js';
import { exchange } from './flight-exchange.js';
import { type PollAnswer, pollFlight } from './flight-poll.js';
import { putDataset, type SentMessage } from './flight-put.js';
import { formatFlightRequest, parseFlightRequest } from './flight-request.js';
import { describeFlight, type FlightDescription, flightMessages, listFlights, parseCriteria } from './flights.js';
import type { Preparation } from './preparation.js';
import { wholeTable } from './row-range.js';
import type { TrackedImports } from './tracked-imports.js';

const anonymousToken = 'anonymous';

/** `arrow.flight.protocol.FlightService`: rows of datasets and of prepared splits, in Arrow's interprocess format. */
export function flightService(
  preparation: Preparation,
  imports: TrackedImports,
  now: () => number = Date.now,
): ImplementedContract {
  const describe = (descriptor: FlightDescriptor__Output) =>
    describeFlight(parseFlightRequest(nameOf(descriptor), 'descriptor'), preparation, 'descriptor');
  return implement(contracts.flight, {
    async *Handshake(requests, context) {
      // There is nothing to log in to: whoever reaches the port may use it, with this token or without.
      context.addHeader('authorization', `Bearer ${anonymousToken}`);
      for await (const { protocolVersion } of requests) {
        yield { protocolVersion, payload: Buffer.from(anonymousToken) };
      }
    },
    async *ListFlights({ expression }) {
      for (const flight of listFlights(preparation, parseCriteria(expression))) {
        const request = { flight, columns: null, rows: wholeTable };
        yield toFlightInfo(await describeFlight(request, preparation, 'descriptor'), now());
      }
    },
    async GetFlightInfo(descriptor) {
      return toFlightInfo(await describe(descriptor), now());
    },
    async PollFlightInfo(descriptor, { signal }) {
      return toPollInfo(await pollFlight(nameOf(descriptor), preparation, imports, signal), now());
    },
    async GetSchema(descriptor) {
      const { schema } = await describe(descriptor);
      return { schema: encapsulate(schema) };
    },
    async *DoGet({ ticket }) {
      const request = parseFlightRequest(ticket.toString('utf8'), 'ticket');
      for await (const { header, body, release } of flightMessages(request, preparation)) {
        yield release ? { dataHeader: header, dataBody: body, release } : { dataHeader: header, dataBody: body };
      }
    },
    async *DoPut(requests, { signal }) {
      const put = putDataset(preparation.datasets, fromFlightData(requests), signal);
      for await (const result of put) {
        yield { appMetadata: Buffer.from(JSON.stringify(result)) };
      }
    },
    DoExchange: (requests) => exchange(preparation, fromFlightData(requests)),
    async *DoAction({ type, body }) {
      for (const result of await runAction(type, body, { preparation, imports, now })) {
        yield { body: result };
      }
    },
    async *ListActions() {
      for (const [type, { description }] of Object.entries(flightActions)) {
        yield { type, description };
      }
    },
  });
}

async function* fromFlightData(requests: AsyncIterable<FlightData__Output>): AsyncGenerator<SentMessage> {
  for await (const { flightDescriptor, dataHeader, dataBody, appMetadata } of requests) {
    yield { name: flightDescriptor && nameOf(flightDescriptor), header: dataHeader, body: dataBody, appMetadata };
  }
}

function toFlightInfo({ request, schema, rowCount, sizeBytes }: FlightDescription, nowMs: number): FlightInfo {
  const name = Buffer.from(formatFlightRequest(request));
  const isWhole = name.toString() === request.flight.name;
  return {
    schema: encapsulate(schema),
    flightDescriptor: isWhole ? { type: 'PATH', path: request.flight.name.split('/') } : { type: 'CMD', cmd: name },
    // No location: the rows are where this answer came from.
    endpoint: [{ ticket: { ticket: name }, expirationTime: ticketExpiration(nowMs) }],
    totalRecords: rowCount,
    totalBytes: sizeBytes,
    ordered: true,
  };
}

function toPollInfo(answer: PollAnswer, nowMs: number): PollInfo {
  if ('complete' in answer) {
    return { info: toFlightInfo(answer.complete, nowMs), progress: 1 };
  }
  const { id, sequence, progress, share } = answer.running;
  const { rowCount = 0, bytesDone = 0, bytesTotal = 0, fetchedBytes = 0, fetchBytesTotal = 0 } = progress ?? {};
  const metadata = { rowCount, bytesDone, bytesTotal, fetchedBytes, fetchBytesTotal };
  return {
    info: {
      flightDescriptor: { type: 'PATH', path: ['imports', id] },
      totalRecords: -1,
      totalBytes: -1,
      appMetadata: Buffer.from(JSON.stringify(metadata)),
    },
    flightDescriptor: { type: 'PATH', path: ['imports', id, 'after', String(sequence)] },
    progress: share,
  };
}
