import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { connect } from 'node:http2';
import { contracts } from '../../proto/index.js';
import { FrameReader } from './serving/frame-reader.js';

// Loads ModelStreamInfer on one stream of one connection: as many requests under way as told, one more sent for each answer. h2load
// cannot, since it sends one request a stream. The request is sent as the bytes that it is and answers are counted by their lengths,
// so that the client has little to do. usage: serving-stream PORT REQUEST_FILE WARM_UP REQUESTS IN_FLIGHT

const [port, file, ...counts] = process.argv.slice(2);
const [warmUp, requests, inFlight] = counts.map(Number) as [number, number, number];
const body = readFileSync(file!);
const windowBytes = 4 * 1024 * 1024;
const session = connect(`http://127.0.0.1:${port}`, { settings: { initialWindowSize: windowBytes } });
await once(session, 'connect');
session.setLocalWindowSize(windowBytes);
const stream = session.request({
  ':method': 'POST',
  ':path': '/inference.GRPCInferenceService/ModelStreamInfer',
  'content-type': 'application/grpc',
  te: 'trailers',
});

const total = warmUp + requests;
let sent = 0;
let begin = 0;

function send(count: number): void {
  const last = Math.min(sent + count, total);
  stream.cork();
  for (; sent < last; sent++) {
    stream.write(body);
  }
  stream.uncork();
  if (sent === total && !stream.writableEnded) {
    stream.end();
  }
}

const reader = new FrameReader((message) => {
  const { errorMessage } = contracts.inference.definition.ModelStreamInfer!.responseDeserialize(message) as {
    errorMessage: string;
  };
  if (errorMessage) {
    throw new Error(`the server answered: ${errorMessage}`);
  }
});

stream.on('data', (chunk: Buffer) => {
  const before = reader.count;
  reader.read(chunk);
  if (before < warmUp && reader.count >= warmUp) {
    begin = performance.now();
  }
  send(reader.count - before);
});
let status = 'no status';
for (const event of ['response', 'trailers'] as const) {
  stream.on(event, (headers) => {
    status =
      headers['grpc-status'] === undefined ? status : `${headers['grpc-status']} ${headers['grpc-message'] ?? ''}`;
  });
}
session.setTimeout(60_000, () => session.destroy(new Error('nothing came for a minute')));
// The server may end its side first, to refuse the call.
stream.on('end', () => stream.close());
send(inFlight);
await once(stream, 'close');
const seconds = (performance.now() - begin) / 1_000;
session.close();
if (reader.count !== total) {
  throw new Error(`${reader.count} of ${total} requests were answered, status ${status}`);
}
process.stdout.write(`${JSON.stringify({ requestsPerSecond: requests / seconds })}\n`);
