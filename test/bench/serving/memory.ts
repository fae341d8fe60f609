import { h2load } from './h2load.js';
import { checked } from './loads.js';
import { networkFiles, wideNetwork, wideWidth } from './networks.js';
import { OwnServer } from './own-server.js';
import { forgetPeak, residentBytes } from './process-usage.js';
import { framed, rawRequest } from './requests.js';

const tensorBytes = 16 * 1024 * 1024;
const rows = tensorBytes / wideWidth / Float32Array.BYTES_PER_ELEMENT;
const model = 'wide';

/**
 * Memory that a request with a tensor of 16 MiB in and one out takes at its peak, in copies of these 32 MiB: of one request that is
 * alone, and of each of four that are under way at once.
 */
export async function measureMemory(): Promise<{ alone: number; together: number }> {
  const server = await OwnServer.start(1);
  try {
    await server.publish(model, networkFiles(wideNetwork, 1));
    const request = (count: number) => framed(rawRequest(model, wideWidth, new Float32Array(count * wideWidth)));
    const load = { port: server.port, connections: 1, inFlight: 1 };
    await checked({ ...load, body: request(1), requests: 5_000 }, null);

    const peak = async (atOnce: number) => {
      const { pids } = server;
      forgetPeak(pids);
      const before = residentBytes(pids);
      const { dataBytes } = await h2load({ ...load, body: request(rows), requests: atOnce, connections: atOnce });
      if (dataBytes < atOnce * tensorBytes) {
        throw new Error(`${atOnce} requests for 16 MiB each were answered with ${dataBytes} bytes`);
      }
      return (residentBytes(pids, 'peak') - before) / atOnce / (2 * tensorBytes);
    };
    return { alone: await peak(1), together: await peak(4) };
  } finally {
    await server.stop();
  }
}
