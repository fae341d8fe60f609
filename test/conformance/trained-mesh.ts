import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Millrace, readTrainingSpec } from '../../clients/sdk/index.js';
import type { TrainingEvent__Output as TrainingEvent } from '../../proto/gen/millrace/v1/TrainingEvent.js';
import type { TrainingJob__Output as TrainingJob } from '../../proto/gen/millrace/v1/TrainingJob.js';
import { millrace as command, mnistFolder, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';

const exampleFile = createRequire(import.meta.url).resolve('#examples/mnist.yaml');
const servedTimeoutMs = 30_000;
const pollMs = 20;

export const pixels = 784;
export const classes = 10;

/** A mesh that has the 70,000 images of MNIST and serves `mnist`, trained on them for one epoch. */
export class TrainedMesh {
  private constructor(
    private readonly mesh: TestMesh,
    readonly folder: string,
    /** Our own client, to compare with. */
    readonly millrace: Millrace,
    /** `trainingJobs/ID` of the model. */
    readonly job: string,
    /** What `millrace` saw of the job. */
    readonly events: TrainingEvent[],
  ) {}

  static async start(): Promise<TrainedMesh> {
    const folder = tempFolder();
    const mesh = await TestMesh.start(path.join(folder, 'data'));
    const millrace = new Millrace({ portBase: mesh.portBase });
    const imported = await command('data', 'import', 'mnist', mnistFolder, `--port-base=${mesh.portBase}`);
    if (imported.status !== 0) {
      throw new Error(`the import failed: ${imported.stderr}`);
    }
    const { name } = await millrace.training.createTrainingJob({ spec: exampleOf({ epochs: 1 }) });
    const events: TrainingEvent[] = [];
    for await (const event of millrace.followTrainingJob(name)) {
      events.push(event);
    }
    const trained = new TrainedMesh(mesh, folder, millrace, name, events);
    await trained.untilServed();
    return trained;
  }

  /** Has the model trained once more. */
  startJob(changes: { epochs: number }): Promise<TrainingJob> {
    return this.millrace.training.createTrainingJob({ spec: exampleOf(changes) });
  }

  /** kill -9. */
  kill(service: string): void {
    this.mesh.kill(service);
  }

  get portBase(): number {
    return this.mesh.portBase;
  }

  /** host:port of a service, by its distance from the port base. */
  address(offset: number): string {
    return `127.0.0.1:${this.portBase + offset}`;
  }

  /** Probabilities of the first test images, float32, little-endian, as our own client gets them. */
  async infer(rows: number): Promise<Buffer> {
    const { rawOutputContents } = await this.millrace.inference.modelInfer({
      modelName: 'mnist',
      inputs: [{ name: 'input', datatype: 'FP32', shape: [rows, pixels] }],
      rawInputContents: [networkInput(rows)],
    });
    const output = rawOutputContents[0]!;
    if (output.length !== rows * classes * 4) {
      throw new Error(`${output.length} bytes came back for ${rows} rows`);
    }
    return output;
  }

  async stop(): Promise<void> {
    this.millrace.close();
    await this.mesh.stop();
  }

  private async untilServed(): Promise<void> {
    const deadline = Date.now() + servedTimeoutMs;
    while (!(await this.millrace.inference.modelReady({ name: 'mnist', version: '1' })).ready) {
      if (Date.now() > deadline) {
        throw new Error(`mnist is not served: ${JSON.stringify(this.events.at(-1))}`);
      }
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
  }
}

function exampleOf(changes: { epochs: number }) {
  return { ...readTrainingSpec(readFileSync(exampleFile, 'utf8')), ...changes };
}

const imagesHeaderBytes = 16;
const labelsHeaderBytes = 8;

/** Pixels of all test images, one byte each, as they stand in the file. */
export function testImages(): Buffer {
  return readFileSync(path.join(mnistFolder, 't10k-images-idx3-ubyte')).subarray(imagesHeaderBytes);
}

/** Digits of all test images. */
export function testLabels(): Buffer {
  return readFileSync(path.join(mnistFolder, 't10k-labels-idx1-ubyte')).subarray(labelsHeaderBytes);
}

/** The network's input for the first test images: float32 in [0, 1], little-endian. */
export function networkInput(rows: number): Buffer {
  const values = Float32Array.from(testImages().subarray(0, rows * pixels), (pixel) => pixel / 255);
  return Buffer.from(values.buffer);
}
