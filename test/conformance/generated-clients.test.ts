import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { TrainingEvent__Output as TrainingEvent } from '../../proto/gen/millrace/v1/TrainingEvent.js';
import { builtClient, type Language, type Line, RunningClient } from './client-program.js';
import { describeWith, type Tool } from './installed-tools.js';
import { classes, pixels, TrainedMesh, testImages } from './trained-mesh.js';

const rows = 3;
const languages: Language[] = ['go', 'java', 'python', 'rust'];
const tools = new Map<Language, Tool>();
for (const language of languages) {
  // One after another: each of them uses all cores.
  tools.set(language, await builtClient(language));
}

let mesh: TrainedMesh;
/** Of a job that all clients follow while its service is killed and started again. */
let job: string;
let events: TrainingEvent[];
const clients = new Map<Language, RunningClient>();
/** Probabilities of the images, as our own client gets them. */
let expected: number[];

beforeAll(async () => {
  mesh = await TrainedMesh.start();
  const imagesFile = path.join(mesh.folder, 'images.u8');
  writeFileSync(imagesFile, testImages().subarray(0, rows * pixels));
  const bytes = await mesh.infer(rows);
  expected = Array.from({ length: rows * classes }, (_, i) => bytes.readFloatLE(4 * i));

  const { name } = await mesh.startJob({ epochs: 1_000 });
  const able = languages.filter((language) => 'path' in tools.get(language)!);
  for (const language of able) {
    clients.set(language, await RunningClient.start(language, imagesFile, mesh.portBase));
  }
  const running = [...clients.values()];
  const allPrint = (accepts: (line: Line) => boolean) => Promise.all(running.map((client) => client.prints(accepts)));
  await allPrint(({ state }) => state === 'STATE_TRAINING');
  const epochsDone = Math.max(...running.flatMap(({ lines }) => lines.map(({ epoch }) => Number(epoch ?? 0))));
  mesh.kill('training');
  await allPrint(({ epoch }) => Number(epoch) > epochsDone + 1);
  await mesh.millrace.training.cancelTrainingJob({ name }, { waitForReady: true });
  await Promise.all(running.map(({ ended }) => ended));
  events = [];
  for await (const event of mesh.millrace.followTrainingJob(name)) {
    events.push(event);
  }
  job = name;
});
afterAll(() => mesh?.stop());

for (const [language, tool] of tools) {
  describeWith(tool, `clients/${language}`, () => {
    const linesOf = (call: string) => clients.get(language)!.lines.filter((line) => line.call === call);
    /** Languages write a float32 with more or fewer digits; all of them mean the same number. */
    const float32 = (values: unknown) => (values as number[]).map(Math.fround);

    it('finds the server ready and describes the model', () => {
      expect(linesOf('ServerReady')).toEqual([{ call: 'ServerReady', ready: true }]);
      expect(linesOf('ModelMetadata')).toEqual([
        {
          call: 'ModelMetadata',
          name: 'mnist',
          versions: ['1'],
          platform: 'millrace_dense',
          inputs: [{ name: 'input', datatype: 'FP32', shape: [-1, pixels] }],
          outputs: [{ name: 'output', datatype: 'FP32', shape: [-1, classes] }],
        },
      ]);
    });

    it('infers a batch to the same bits as our own client', () => {
      const [line] = linesOf('ModelInfer');
      expect(line).toMatchObject({ modelVersion: '1', shape: [rows, classes] });
      expect(float32(line!.output)).toEqual(expected);
    });

    it('infers in a stream, each request its own answer, in order', () => {
      const answers = linesOf('ModelStreamInfer');
      expect(answers.map(({ id }) => id)).toEqual(['0', '1', '2']);
      expect(answers.flatMap(({ output }) => float32(output))).toEqual(expected);
    });

    it('predicts raw records as our own client does', async () => {
      const images = Array.from({ length: rows }, (_, i) => testImages().subarray(i * pixels, (i + 1) * pixels));
      const { modelVersion, predictions } = await mesh.millrace.prediction.predict({
        model: 'models/mnist',
        records: images.map((content) => ({ values: { image: { content } } })),
      });
      expect(linesOf('Predict')).toEqual(
        predictions.map(({ label, scores }) => ({
          call: 'Predict',
          modelVersion,
          label,
          probability: scores[0]!.probability,
        })),
      );
    });

    it('follows a training job to its end through a killed service, with no event lost or repeated', () => {
      const lines = events.map(({ sequence, epoch, stateChange }) => ({
        call: 'WatchTrainingJob',
        job,
        sequence,
        ...(epoch && { epoch: epoch.epoch, loss: epoch.loss }),
        ...(stateChange && { state: stateChange.state }),
      }));
      expect(linesOf('WatchTrainingJob')).toEqual(lines);
      expect(lines.map(({ sequence }) => sequence)).toEqual(lines.map((_, i) => i + 1));
      expect(lines.at(-1)).toMatchObject({ state: 'STATE_CANCELLED' });
    });
  });
}
