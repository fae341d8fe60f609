import { messageType, type Timestamp, toTimestamp } from '../../proto/index.js';
import { invalidField, ServiceError } from '../platform/errors.js';
import { nearest } from '../platform/nearest-name.js';
import { datasetName } from './dataset.js';
import { importOf } from './flight-poll.js';
import { parseFlightRequest } from './flight-request.js';
import { describeFlight } from './flights.js';
import type { Preparation } from './preparation.js';
import type { TrackedImports } from './tracked-imports.js';

/** A ticket can be used so long as its rows are there; clients are told to renew it at times, and learn then if they are not. */
const ticketLifetimeMs = 60 * 60 * 1000;
const cancelWaitMs = 2_000;

export function ticketExpiration(nowMs: number): Timestamp {
  return toTimestamp(nowMs + ticketLifetimeMs);
}

interface ActionHost {
  preparation: Preparation;
  imports: TrackedImports;
  now: () => number;
}

type Run = (body: Buffer, host: ActionHost) => Promise<Buffer[]>;

/** What DoAction can be asked for. Bodies are as Arrow Flight defines them. */
export const flightActions: Record<string, { description: string; run: Run }> = {
  CancelFlightInfo: {
    description: 'Ends a running import. Body: CancelFlightInfoRequest; result: CancelFlightInfoResult.',
    run: async (body, host) => [await cancelFlight(body, host)],
  },
  RenewFlightEndpoint: {
    description: 'Makes a ticket last longer. Body: RenewFlightEndpointRequest; result: FlightEndpoint.',
    run: async (body, host) => [await renewEndpoint(body, host)],
  },
  DropDataset: {
    description: 'Deletes a dataset with all its versions. Body: its name, datasets/NAME; no result.',
    async run(body, { preparation }) {
      await preparation.datasets.deleteDataset(datasetName.parse(body.toString('utf8'), 'body').dataset);
      return [];
    },
  },
};

/** @returns bodies of the results */
export async function runAction(type: string, body: Buffer, host: ActionHost): Promise<Buffer[]> {
  const action = Object.hasOwn(flightActions, type) ? flightActions[type] : undefined;
  if (!action) {
    const names = Object.keys(flightActions);
    const guess = nearest(type, names);
    const hint = guess ? `did you mean ${guess}?` : `there are ${names.join(', ')}.`;
    throw invalidField('type', `Expected \`type\` to be an action but received ${JSON.stringify(type)}; ${hint}`);
  }
  return action.run(body, host);
}

async function cancelFlight(body: Buffer, { imports }: ActionHost): Promise<Buffer> {
  const { info } = decode('CancelFlightInfoRequest', body) as { info: { flightDescriptor: Descriptor | null } | null };
  const tracked = importOf(nameOf(info?.flightDescriptor ?? null), imports);
  return encode('CancelFlightInfoResult', { status: await cancelImport(tracked) });
}

async function cancelImport(tracked: ReturnType<typeof importOf>): Promise<string> {
  const ended = await tracked?.cancel(cancelWaitMs);
  if (!tracked || tracked.version) {
    return 'CANCEL_STATUS_NOT_CANCELLABLE';
  }
  return ended ? 'CANCEL_STATUS_CANCELLED' : 'CANCEL_STATUS_CANCELLING';
}

async function renewEndpoint(body: Buffer, { preparation, now }: ActionHost): Promise<Buffer> {
  const { endpoint } = decode('RenewFlightEndpointRequest', body) as {
    endpoint: { ticket: { ticket: Buffer } | null };
  };
  const ticket = endpoint?.ticket?.ticket.toString('utf8') ?? '';
  // NOT_FOUND where the rows are gone.
  await describeFlight(parseFlightRequest(ticket, 'endpoint.ticket'), preparation, 'endpoint.ticket');
  return encode('FlightEndpoint', { ...endpoint, expirationTime: ticketExpiration(now()) });
}

interface Descriptor {
  path: string[];
  cmd: Buffer;
}

/** A descriptor names a resource by path, or as the text of a command. */
export function nameOf(descriptor: Descriptor | null): string {
  const { path, cmd } = descriptor ?? { path: [], cmd: Buffer.alloc(0) };
  return path.length > 0 ? path.join('/') : cmd.toString('utf8');
}

type ActionMessage =
  | 'CancelFlightInfoRequest'
  | 'CancelFlightInfoResult'
  | 'RenewFlightEndpointRequest'
  | 'FlightEndpoint';

function decode(name: ActionMessage, body: Buffer): object {
  try {
    return messageType(`arrow.flight.protocol.${name}`).deserialize(body);
  } catch (error) {
    const message = `Expected \`body\` to be a ${name} but it cannot be read: ${(error as Error).message}.`;
    throw new ServiceError('INVALID_ARGUMENT', 'MALFORMED_MESSAGE', message, { cause: error });
  }
}

function encode(name: ActionMessage, message: object): Buffer {
  return messageType(`arrow.flight.protocol.${name}`).serialize(message);
}
