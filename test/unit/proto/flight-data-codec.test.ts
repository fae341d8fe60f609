import { expect, it } from 'vitest';
import { contracts, type FlightMessage } from '../../../proto/index.js';

const { responseDeserialize } = contracts.flight.definition.DoGet!;
const empty = Buffer.alloc(0);

/** As a server writes it. */
const write = contracts.flight.serverDefinition.DoGet!.responseSerialize as unknown as (message: FlightMessage) => {
  pieces: Uint8Array[];
  byteLength: number;
};

function written(message: FlightMessage) {
  const { pieces, byteLength } = write(message);
  const bytes = Buffer.concat(pieces);
  expect(bytes.length).toBe(byteLength);
  return responseDeserialize(bytes);
}

it('writes what reflection reads, the body in one field', () => {
  const dataHeader = Buffer.from('header');
  const appMetadata = Buffer.from('metadata');
  const dataBody = [Uint8Array.of(1, 2, 3), new Uint8Array(300).fill(4)];
  expect(written({ dataHeader, appMetadata, dataBody })).toEqual({
    flightDescriptor: null,
    dataHeader,
    appMetadata,
    dataBody: Buffer.concat(dataBody),
  });
});

it('leaves out what is empty', () => {
  expect(write({ dataHeader: empty, appMetadata: empty, dataBody: [] }).byteLength).toBe(0);
  expect(written({ dataHeader: Buffer.from('a'), dataBody: [] })).toMatchObject({
    appMetadata: empty,
    dataBody: empty,
  });
});
