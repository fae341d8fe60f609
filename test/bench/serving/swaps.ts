import { addVersion, upload } from '../../support/published-model.js';
import { checked } from './loads.js';
import { networkFiles, seedNetwork } from './networks.js';
import type { OwnServer } from './own-server.js';
import { rawRequest, seedInputs, seedModel, testImages } from './requests.js';

const swapCount = 200;
const pauseMs = 50;
/** All numbers of versions have as many digits, so that all answers have one length: it is by it that a failure shows. */
const firstVersion = 100;

/**
 * p99 of the requests' time with 64 under way, us: while nothing changes, and while the model's version is swapped 200 times. Every
 * second swap brings a new version, every other goes back to the version before, which has to be loaded again.
 */
export async function measureSwaps(server: OwnServer, body: Uint8Array): Promise<{ calm: number; swapping: number }> {
  const { registry } = server;
  const kinds = await Promise.all([1, 2].map((seed) => upload(registry, networkFiles(seedNetwork, seed))));
  let newest = 0;
  const add = async (aliases: string[]) => {
    newest = await addVersion(registry, seedModel, kinds[newest % kinds.length]!, aliases);
    return newest;
  };
  await registry.createModel({ modelId: seedModel });
  while (newest < firstVersion) {
    await add([]);
  }
  await add(['champion']);
  await server.untilReady(seedModel, String(newest));
  await answering(server, newest);

  const load = { port: server.port, body, connections: 4, inFlight: 16, timed: true };
  const { requestsPerSecond } = await checked({ ...load, requests: 40_000 }, null);
  const requests = Math.round((requestsPerSecond * swapCount * pauseMs) / 1_000);
  const calm = await checked({ ...load, requests }, null);
  let isSwapping = true;
  const swapped = swap(server, add).finally(() => {
    isSwapping = false;
  });
  // It is awaited below; until then nobody else hears of its failure.
  swapped.catch(() => undefined);
  const worst = [];
  while (isSwapping) {
    worst.push((await checked({ ...load, requests }, null)).latency!.p99);
  }
  await swapped;
  return { calm: calm.latency!.p99, swapping: Math.max(...worst) };
}

async function swap(server: OwnServer, add: (aliases: string[]) => Promise<number>): Promise<void> {
  let newest = 0;
  for (let count = 0; count < swapCount; count++) {
    const pause = new Promise((resolve) => setTimeout(resolve, pauseMs));
    if (count % 2 === 0) {
      newest = await add(['champion']);
      await answering(server, newest);
    } else {
      await server.registry.setModelAlias({ name: `models/${seedModel}`, alias: 'champion', version: newest - 1 });
      await answering(server, newest - 1);
    }
    await pause;
  }
}

/** Waits until the version is the one that answers. */
async function answering({ inference }: OwnServer, version: number): Promise<void> {
  const request = rawRequest(seedModel, seedInputs, testImages(1));
  while ((await inference.modelInfer(request)).modelVersion !== String(version)) {
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}
