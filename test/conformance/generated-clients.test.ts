import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { builtClient, type Language, runClient } from './client-program.js';
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
let imagesFile: string;
/** Probabilities of the images, as our own client gets them. */
let expected: number[];

beforeAll(async () => {
  mesh = await TrainedMesh.start();
  imagesFile = path.join(mesh.folder, 'images.u8');
  writeFileSync(imagesFile, testImages().subarray(0, rows * pixels));
  const bytes = await mesh.infer(rows);
  expected = Array.from({ length: rows * classes }, (_, i) => bytes.readFloatLE(4 * i));
});
afterAll(() => mesh?.stop());

type Line = { call: string } & Record<string, unknown>;

for (const [language, tool] of tools) {
  describeWith(tool, `clients/${language}`, () => {
    let lines: Line[];

    beforeAll(async () => {
      lines = (await runClient(language, imagesFile, mesh.portBase)) as Line[];
    });

    const linesOf = (call: string) => lines.filter((line) => line.call === call);
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

    it('follows a training job to its end', () => {
      const events = mesh.events.flatMap(({ epoch, stateChange }): object[] =>
        epoch ? [{ epoch: epoch.epoch, loss: epoch.loss }] : stateChange ? [{ state: stateChange.state }] : [],
      );
      expect(linesOf('WatchTrainingJob')).toEqual(
        events.map((event) => ({ call: 'WatchTrainingJob', job: mesh.job, ...event })),
      );
    });
  });
}
