import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { expectedOutput, inputWidth, modelFiles, publish } from '../support/published-model.js';
import { Serving } from '../support/serving.js';
import { tempFolder } from '../support/temp-folder.js';

const input = Float32Array.from({ length: inputWidth }, (_, i) => i / inputWidth);
/** Hundreds of changes, each synced to disk, beside whatever else the machine does. */
const loadedMachineMs = 300_000;
const pauseMs = 10;
const patience = { timeout: 30_000, interval: 20 };

let serving: Serving;
afterEach(async () => {
  await serving.stop();
});

const ask = (modelVersion = '') =>
  serving.inference.modelInfer({
    modelName: 'animals',
    modelVersion,
    inputs: [{ name: 'input', datatype: 'FP32', shape: [1, inputWidth] }],
    rawInputContents: [Buffer.from(input.buffer)],
  });

const bits = (bytes: Uint8Array | undefined) => Buffer.from(bytes ?? []).toString('hex');
const bitsOf = (seed: number) => bits(new Uint8Array(expectedOutput({ seed }, input).buffer));

/** So many clients, each of which asks anew soon after an answer, until they are told to end; gathers what was wrong. */
class Load {
  answers = 0;
  readonly failures: string[] = [];
  readonly #lanes: Promise<void>[];
  #ends = false;

  constructor(
    clients: number,
    private readonly expected: ReadonlyMap<string, string>,
  ) {
    this.#lanes = Array.from({ length: clients }, () => this.#run());
  }

  async #run(): Promise<void> {
    while (!this.#ends) {
      try {
        const { modelVersion, rawOutputContents } = await ask();
        this.answers++;
        if (bits(rawOutputContents[0]) !== this.expected.get(modelVersion)) {
          this.failures.push(`another answer of version ${modelVersion}`);
        }
      } catch (error) {
        this.failures.push((error as Error).message);
      }
      // With none, they take the processor from the changes that they are to meet.
      await sleep(pauseMs);
    }
  }

  async end(): Promise<void> {
    this.#ends = true;
    await Promise.all(this.#lanes);
  }
}

describe.each([1, 2])('a server with %i workers', (workers) => {
  it(
    'changes versions 200 times under load without one failed or wrong answer',
    async () => {
      serving = await Serving.start(tempFolder(), `--workers=${workers}`, '--loaded-versions-max=2');
      const { registry } = serving;
      const expected = new Map<string, string>();
      const add = async (seed: number, aliases: string[]) => {
        const number = await publish(registry, 'animals', modelFiles({ seed }), aliases);
        expected.set(String(number), bitsOf(seed));
        return number;
      };
      await add(1, ['champion']);
      await add(2, []);
      await serving.serves('animals', '', 1);
      await serving.serves('animals', '2', 2);
      const load = new Load(16, expected);
      const promote = (version: number) =>
        registry.setModelAlias({ name: 'models/animals', alias: 'champion', version });
      let newest = 2;
      for (let change = 0; change < 200; change++) {
        if (change % 20 === 0) {
          // Known before it answers.
          expected.set(String(newest + 1), bitsOf(100 + change));
          newest = await publish(registry, 'animals', modelFiles({ seed: 100 + change }), ['champion']);
        } else {
          await promote(change % 2 === 0 ? newest : newest - 1);
        }
      }
      await serving.serves('animals', '', newest - 1);
      await load.end();
      expect(load.failures).toEqual([]);
      expect(load.answers).toBeGreaterThan(200);
    },
    loadedMachineMs,
  );
});

describe('memory', () => {
  it(
    'stays flat however often a model is loaded and unloaded',
    async () => {
      serving = await Serving.start(tempFolder());
      const layers = [
        { type: 'dense', units: 4_096, activation: 'relu', kernelInitializer: 'heUniform' },
        { type: 'dense', units: 3, activation: 'softmax', kernelInitializer: 'glorotUniform' },
      ] as const;
      await publish(serving.registry, 'animals', modelFiles({ seed: 1, layers: [...layers] }));
      await serving.serves('animals', '', 1);
      const cycle = async () => {
        await serving.inference.repositoryModelUnload({ modelName: 'animals' });
        await serving.inference.repositoryModelLoad({ modelName: 'animals' });
      };
      const cycles = async (count: number) => {
        for (let i = 0; i < count; i++) {
          await cycle();
        }
        return process.memoryUsage().rss;
      };
      const before = await cycles(50);
      const after = await cycles(Number(process.env.MILLRACE_LOAD_CYCLES ?? 200));
      // The weights alone are 320 KB: 200 of them that were not freed would be 64 MB.
      expect((after - before) / 1024 ** 2).toBeLessThan(32);
      expect(await ask()).toMatchObject({ modelVersion: '1' });
    },
    loadedMachineMs,
  );
});

describe('a worker that is killed', () => {
  it('takes only its calls in flight along, and is replaced by one that knows everything', async () => {
    serving = await Serving.start(tempFolder(), '--workers=2');
    await publish(serving.registry, 'animals', modelFiles({ seed: 1 }), ['champion']);
    await serving.serves('animals', '', 1);
    await Promise.all(Array.from({ length: 20 }, () => ask()));
    const trace = { settings: { trace_rate: { value: ['7'] } } };
    await serving.inference.traceSetting(trace);
    const count = async () =>
      (await serving.inference.modelStatistics({ name: 'animals' })).modelStats[0]!.inferenceCount;
    const counted = await count();
    const pids = serving.service.workerPids();
    expect(pids).toHaveLength(2);

    const load = new Load(16, new Map([['1', bitsOf(1)]]));
    await vi.waitFor(() => expect(load.answers).toBeGreaterThan(50), patience);
    for (const pid of pids) {
      process.kill(pid, 'SIGKILL');
    }
    await vi.waitFor(() => {
      const now = serving.service.workerPids();
      expect(now).toHaveLength(2);
      expect(now.filter((pid) => pids.includes(pid))).toEqual([]);
    }, patience);
    const answers = load.answers;
    await vi.waitFor(() => expect(load.answers).toBeGreaterThan(answers + 50), patience);
    await load.end();

    // grpc's own words for a connection that broke, or that waits to be made again.
    expect(load.failures.filter((message) => !/UNAVAILABLE|ECONN|connection|Connection|dropped/.test(message))).toEqual(
      [],
    );
    expect(await count()).toBeGreaterThanOrEqual(counted + 50);
    expect((await serving.inference.traceSetting({})).settings).toMatchObject(trace.settings);
  });
});
