import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Millrace, readTrainingSpec } from '../../clients/sdk/index.js';
import type { TrainingEvent__Output as TrainingEvent } from '../../proto/gen/millrace/v1/TrainingEvent.js';
import { RpcError } from '../../proto/index.js';
import { millrace as command, freePortBase, mnistFolder, root, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';

const exampleFile = createRequire(import.meta.url).resolve('#examples/mnist.yaml');
const folder = tempFolder();
let mesh: TestMesh;
let millrace: Millrace;

function spec(model: string) {
  const example = readTrainingSpec(readFileSync(exampleFile, 'utf8'));
  return { ...example, epochs: 3, publish: { model: `models/${model}`, aliases: ['champion'] } };
}

beforeAll(async () => {
  mesh = await TestMesh.start(path.join(folder, 'data'));
  millrace = new Millrace({ portBase: mesh.portBase });
  const imported = await command('data', 'import', 'mnist', mnistFolder, `--port-base=${mesh.portBase}`);
  expect(imported).toMatchObject({ status: 0 });
});
afterAll(async () => {
  millrace?.close();
  await mesh?.stop();
});

/** Trains to the end, doing `disturb` at an event, and returns all events that a faithful watcher saw. */
async function train(model: string, disturb: (event: TrainingEvent) => void): Promise<TrainingEvent[]> {
  const job = await millrace.training.createTrainingJob({ spec: spec(model) });
  const events: TrainingEvent[] = [];
  for await (const event of millrace.followTrainingJob(job.name)) {
    events.push(event);
    disturb(event);
  }
  return events;
}

async function weightsDigest(model: string): Promise<string> {
  const version = await millrace.registry.getModelVersion({ name: `models/${model}/versions/1` });
  return version.artifacts.find((artifact) => artifact.path === 'model.safetensors')!.digest;
}

function expectWholeStream(events: TrainingEvent[]): void {
  expect(events.map(({ sequence }) => sequence)).toEqual(events.map((_, i) => i + 1));
  expect(events.at(-1)!.stateChange!.state).toBe('STATE_SUCCEEDED');
}

/** A disturbance that happens once, at the first event that `when` accepts. */
function once(when: (event: TrainingEvent) => boolean, action: () => void): (event: TrainingEvent) => void {
  let done = false;
  return (event) => {
    if (!done && when(event)) {
      done = true;
      action();
    }
  };
}

const inState = (state: string) => (event: TrainingEvent) => event.stateChange?.state === state;

describe('kill -9', () => {
  let undisturbed = '';

  it('(the run to compare with)', async () => {
    expectWholeStream(await train('undisturbed', () => {}));
    undisturbed = await weightsDigest('undisturbed');
  });

  it('of training in the middle of an epoch: the job goes on and ends with the same weights', async () => {
    // The checkpoint of the first epoch is written while the second runs.
    const inThirdEpoch = (event: TrainingEvent) => event.step?.epoch === 3;
    const events = await train(
      'in-epoch',
      once(inThirdEpoch, () => mesh.kill('training')),
    );
    expectWholeStream(events);
    const { resumed } = events.find((event) => event.resumed)!;
    expect(resumed!.epochsDone).toBeGreaterThanOrEqual(1);
    expect(await weightsDigest('in-epoch')).toBe(undisturbed);
  });

  it.each(['STATE_QUEUED', 'STATE_PREPARING', 'STATE_TESTING', 'STATE_PUBLISHING'])(
    'of training in %s: one version, the same weights',
    async (state) => {
      const model = `in-${state.slice('STATE_'.length).toLowerCase()}`;
      expectWholeStream(
        await train(
          model,
          once(inState(state), () => mesh.kill('training')),
        ),
      );
      expect(await weightsDigest(model)).toBe(undisturbed);
      expect((await millrace.registry.getModel({ name: `models/${model}` })).latestVersion).toBe(1);
    },
  );

  it.each(['preprocessing', 'registry'])('of %s while a job prepares: the job waits for it', async (service) => {
    const model = `without-${service}`;
    expectWholeStream(
      await train(
        model,
        once(inState('STATE_PREPARING'), () => mesh.kill(service)),
      ),
    );
    expect(await weightsDigest(model)).toBe(undisturbed);
  });

  it('of the registry while a job trains: the version is published when it is back', async () => {
    expectWholeStream(
      await train(
        'late',
        once(
          ({ epoch }) => epoch?.epoch === 3,
          () => mesh.kill('registry'),
        ),
      ),
    );
    expect(await weightsDigest('late')).toBe(undisturbed);
  });

  const image = {
    image: { content: readFileSync(path.join(mnistFolder, 't10k-images-idx3-ubyte')).subarray(16, 16 + 784) },
  };
  const predict = () => millrace.prediction.predict({ model: 'models/undisturbed', records: [{ values: image }] });

  it('of the registry while inference serves: nobody notices', async () => {
    const before = await predict();
    mesh.kill('registry');
    for (let i = 0; i < 50; i++) {
      expect(await predict()).toEqual(before);
    }
    const { aliases } = await millrace.registry.getModel({ name: 'models/undisturbed' }, { waitForReady: true });
    expect(aliases).toEqual({ champion: 1 });
  });

  it('of inference: calls see UNAVAILABLE at worst, and it serves every model again by itself', async () => {
    const before = await predict();
    mesh.kill('inference');
    // The workers of the killed process answer until they notice.
    for (let wasAway = false; ; ) {
      const answer = await predict().catch((error) => error as RpcError);
      if (answer instanceof RpcError) {
        // NOT_FOUND would say that the model does not exist, while it is only not loaded yet.
        expect(answer.code).toBe('UNAVAILABLE');
        wasAway = true;
      } else {
        expect(answer).toEqual(before);
        if (wasAway) {
          break;
        }
      }
    }
  });

  it('of the gateway: REST answers again', async () => {
    mesh.kill('gateway');
    const ready = () =>
      fetch(`http://127.0.0.1:${mesh.portBase}/v2/health/ready`).then(
        ({ status }) => status,
        () => 0,
      );
    await expect.poll(ready, { timeout: 20_000 }).toBe(200);
  });

  it('of preprocessing: datasets and pipelines are all there', async () => {
    const before = await millrace.preprocessing.listPipelines({});
    expect(before.pipelines.length).toBeGreaterThan(0);
    mesh.kill('preprocessing');
    const after = await millrace.preprocessing.listPipelines({}, { waitForReady: true }).catch(() =>
      // The call that was on its way when the connection broke.
      millrace.preprocessing.listPipelines({}, { waitForReady: true }),
    );
    expect(after).toEqual(before);
    const version = await millrace.preprocessing.getDatasetVersion({ name: 'datasets/mnist' });
    expect(version.rowCount).toBe(70_000);
  });

  it.each([250, 550, 850])('of everything %d ms after the first start: the next start is whole', async (delayMs) => {
    const dataDir = tempFolder();
    const portBase = await freePortBase();
    const args = [
      path.join(root, 'dist/services/supervisor/main.js'),
      `--data-dir=${dataDir}`,
      `--port-base=${portBase}`,
    ];
    const killed = spawn(process.execPath, args, { detached: true, stdio: 'ignore' });
    const ended = new Promise((resolve) => killed.once('exit', resolve));
    await new Promise((resolve) => setTimeout(resolve, delayMs));
    // The supervisor and all its services at once: none can notice that another is gone.
    process.kill(-killed.pid!, 'SIGKILL');
    await ended;
    const next = await TestMesh.start(dataDir, portBase);
    await next.stop();
  });
});
