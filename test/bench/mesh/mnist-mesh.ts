import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Millrace, readTrainingSpec } from '../../../clients/sdk/index.js';
import type { TrainingEvent__Output as TrainingEvent } from '../../../proto/gen/millrace/v1/TrainingEvent.js';
import type { TrainingSpec } from '../../../proto/gen/millrace/v1/TrainingSpec.js';
import { freePortBase, mnistFolder, root, TestMesh } from '../../support/mesh.js';
import { removeTempFolders, tempFolder } from '../../support/temp-folder.js';

/** The spec of the seed's example. */
export const specFile = path.join(root, 'clients/examples/mnist.yaml');

/** A mesh as `millrace up` runs it, with the data of the seed's example. */
export class MnistMesh {
  private constructor(
    readonly mesh: TestMesh,
    readonly millrace: Millrace,
  ) {}

  /** Runs something on a new mesh, of which nothing is left then. */
  static async with<Result>(body: (mesh: MnistMesh) => Promise<Result>): Promise<Result> {
    const mesh = await TestMesh.start(tempFolder(), await freePortBase());
    const millrace = new Millrace({ portBase: mesh.portBase });
    try {
      await millrace.importDataset('mnist', [mnistFolder], { format: 'idx', upload: false });
      return await body(new MnistMesh(mesh, millrace));
    } finally {
      millrace.close();
      await mesh.stop();
      removeTempFolders();
    }
  }

  /** The process of the training service. */
  get trainingPid(): number {
    return this.mesh.pidOf('training')!;
  }

  /** The events of a job to its end; throws unless it succeeds. */
  async *follow(job: string): AsyncGenerator<TrainingEvent, void> {
    let state: string | undefined;
    for await (const event of this.millrace.followTrainingJob(job)) {
      state = event.stateChange?.state ?? state;
      yield event;
    }
    if (state !== 'STATE_SUCCEEDED') {
      throw new Error(`${job} ended as ${state}`);
    }
  }
}

/** The seed's example with other values. */
export function seedExample(changes: Partial<TrainingSpec>): TrainingSpec {
  return { ...readTrainingSpec(readFileSync(specFile, 'utf8')), ...changes };
}
