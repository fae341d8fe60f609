import { networkFiles, seedNetwork } from '../bench/serving/networks.js';
import type { OwnServer } from '../bench/serving/own-server.js';
import { rawRequest, seedInputs, seedModel } from '../bench/serving/requests.js';
import { addVersion, publish, upload } from '../support/published-model.js';
import type { Session } from './good-clients.js';
import { KnownAnswers } from './known-answers.js';
import { add } from './ledger.js';

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const versionsKept = 6;

/** Every second change is a new version, every other a way back to the one before; old ones are deleted. */
export async function swapVersions(server: OwnServer, { ledger, ending }: Session, pauseMs: number): Promise<void> {
  const { registry, inference } = server;
  const seeds = [1, 2].map((seed) => upload(registry, networkFiles(seedNetwork, seed)));
  const artifacts = await Promise.all(seeds);
  const model = `models/${seedModel}`;
  let newest = Number((await inference.modelMetadata({ name: seedModel })).versions.at(-1));
  while (!ending.aborted) {
    newest = await addVersion(registry, seedModel, artifacts[KnownAnswers.seedOf(newest + 1) - 1]!, ['champion']);
    add(ledger.changes, 'versions published');
    await sleep(pauseMs);
    await registry.setModelAlias({ name: model, alias: 'champion', version: newest - 1 });
    add(ledger.changes, 'ways back');
    if (newest > versionsKept) {
      await registry.deleteModelVersion({ name: `${model}/versions/${newest - versionsKept}` });
    }
    await sleep(pauseMs);
  }
}

const visitor = 'visitor';

/** A model that comes and goes while others are served: its answers are right once it is loaded, and it has none without. */
export async function loadAndUnload(server: OwnServer, session: Session, pauseMs: number): Promise<void> {
  const { inference, registry } = server;
  const { ledger, answers, ending } = session;
  await publish(registry, visitor, networkFiles(seedNetwork, 1), ['champion']);
  await server.untilReady(visitor, '');
  while (!ending.aborted) {
    const begin = performance.now();
    try {
      await inference.repositoryModelUnload({ modelName: visitor });
      const { ready } = await inference.modelReady({ name: visitor });
      if (ready) {
        ledger.violate('a model that was unloaded is ready', '');
      }
      await inference.repositoryModelLoad({ modelName: visitor });
      const rows = answers.pick(4);
      const answer = await inference.modelInfer(rawRequest(visitor, seedInputs, answers.inputOf(rows)));
      if (!answers.isRight('1', rows, answer.rawOutputContents[0]!)) {
        ledger.violate('a model that was loaded anew gave a wrong answer', '');
      }
      add(ledger.changes, 'loads and unloads');
    } catch (error) {
      ledger.failed('loads and unloads', begin, error as Error);
    }
    await sleep(pauseMs);
  }
}

/** Kills a worker from time to time: always the youngest, so that one is there all the time, whose memory can be watched. */
export async function killWorkers(server: OwnServer, { ledger, ending }: Session, pauseMs: number): Promise<void> {
  while (!ending.aborted) {
    await Promise.race([sleep(pauseMs), aborted(ending)]);
    const youngest = server.pids.slice(1).at(-1);
    if (ending.aborted) {
      return;
    }
    if (youngest === undefined) {
      ledger.violate('there is no worker to be killed', '');
      return;
    }
    process.kill(youngest, 'SIGKILL');
    ledger.killed();
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}
