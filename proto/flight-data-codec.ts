import protobuf from 'protobufjs';
import { MessagePieces } from './message-pieces.js';

/** `FlightData` as a server makes it: the body in the pieces that it lies in. */
export interface FlightMessage {
  dataHeader: Uint8Array;
  appMetadata?: Uint8Array;
  dataBody: readonly Uint8Array[];
  /** Called once the body has left, if it does. Absent: its memory is not used again. */
  release?: () => void;
}

const tags = { dataHeader: (2 << 3) | 2, appMetadata: (3 << 3) | 2, dataBody: (1000 << 3) | 2 };

/** The body is not copied here. */
export function writeFlightData({ dataHeader, appMetadata, dataBody, release }: FlightMessage): MessagePieces {
  const head = protobuf.Writer.create();
  if (dataHeader.length > 0) {
    head.uint32(tags.dataHeader).bytes(dataHeader);
  }
  if (appMetadata && appMetadata.length > 0) {
    head.uint32(tags.appMetadata).bytes(appMetadata);
  }
  const bodyBytes = dataBody.reduce((sum, { length }) => sum + length, 0);
  if (bodyBytes > 0) {
    head.uint32(tags.dataBody).uint32(bodyBytes);
  }
  return new MessagePieces([head.finish(), ...dataBody], release ?? null);
}
