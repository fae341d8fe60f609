import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { run } from '../support/mesh.js';
import { describeWith, goTool } from './installed-tools.js';
import { networkInput, pixels, TrainedMesh } from './trained-mesh.js';

const ports = [
  { offset: 1, services: ['inference.GRPCInferenceService', 'millrace.v1.PredictionService'] },
  { offset: 3, services: ['millrace.v1.RegistryService'] },
  { offset: 4, services: ['millrace.v1.TrainingService', 'millrace.v1.TuningService'] },
  { offset: 5, services: ['arrow.flight.protocol.FlightService', 'millrace.v1.PreprocessingService'] },
];
const everywhere = [
  'grpc.health.v1.Health',
  'grpc.reflection.v1.ServerReflection',
  'grpc.reflection.v1alpha.ServerReflection',
  'millrace.v1.MetricsService',
];

// Without a .proto file: all that grpcurl knows it has learned from the server's reflection.
describeWith(await goTool('grpcurl'), 'grpcurl', (program) => {
  let mesh: TrainedMesh;
  beforeAll(async () => {
    mesh = await TrainedMesh.start();
  });
  afterAll(() => mesh?.stop());

  const grpcurl = (...args: string[]) => run(program, ['-plaintext', ...args]);

  async function answer(...args: string[]): Promise<string> {
    const { status, stdout, stderr } = await grpcurl(...args);
    expect(stderr).toBe('');
    expect(status).toBe(0);
    return stdout;
  }

  const call = async (offset: number, method: string, request: object = {}) =>
    JSON.parse(await answer('-d', JSON.stringify(request), mesh.address(offset), method));

  async function refusal(offset: number, method: string, request: object): Promise<string> {
    const { status, stdout, stderr } = await grpcurl('-d', JSON.stringify(request), mesh.address(offset), method);
    expect(stdout).toBe('');
    // grpcurl's exit status is 64 and the code of the call.
    expect(status).toBeGreaterThan(64);
    return stderr;
  }

  describe.each(ports)('on port base + $offset', ({ offset, services }) => {
    it('lists the services', async () => {
      const listed = (await answer(mesh.address(offset), 'list')).trim().split('\n');
      expect(listed.sort()).toEqual([...services, ...everywhere].sort());
    });

    it('describes every service and every message that its methods name', async () => {
      const described = await answer(mesh.address(offset), 'describe');
      const messages = new Set([...described.matchAll(/ (\.[A-Za-z0-9_.]+) \)/g)].map(([, name]) => name!));
      expect(messages.size).toBeGreaterThan(10);
      for (const message of messages) {
        expect(await answer('-msg-template', mesh.address(offset), 'describe', message)).toContain('Message template');
      }
    });
  });

  it('describes a method', async () => {
    expect(await answer(mesh.address(4), 'describe', 'millrace.v1.TrainingService.WatchTrainingJob')).toContain(
      'rpc WatchTrainingJob ( .millrace.v1.WatchTrainingJobRequest ) returns ( stream .millrace.v1.TrainingEvent );',
    );
  });

  it('describes fields by the names that stand in the .proto files', async () => {
    const message = await answer(mesh.address(4), 'describe', 'millrace.v1.WatchTrainingJobRequest');
    expect(message).toContain('int64 after_sequence = 2;');
    const infer = await answer(mesh.address(1), 'describe', 'inference.ModelInferRequest');
    expect(infer).toContain('repeated bytes raw_input_contents = 7;');
    expect(infer).toContain('map<string, .inference.InferParameter> parameters = 4;');
    const adam = await answer(mesh.address(4), 'describe', 'millrace.v1.Adam');
    expect(adam).toContain('optional double learning_rate = 1;');
  });

  it('shows comments, and which fields exclude each other', async () => {
    const step = await answer(mesh.address(5), 'describe', 'millrace.v1.Step');
    expect(step).toContain(
      '  oneof kind {\n    // Fills missing values.\n    .millrace.v1.ImputeStep impute = 1;\n    // Brings numbers',
    );
  });

  it('calls ServerLive', async () => {
    expect(await call(1, 'inference.GRPCInferenceService/ServerLive')).toEqual({ live: true });
  });

  it('calls ModelMetadata', async () => {
    expect(await call(1, 'inference.GRPCInferenceService/ModelMetadata', { name: 'mnist' })).toMatchObject({
      name: 'mnist',
      versions: ['1'],
      inputs: [{ name: 'input', datatype: 'FP32', shape: ['-1', '784'] }],
    });
  });

  it('calls ModelInfer with fields in snake_case and in lowerCamelCase', async () => {
    const inputs = [{ name: 'input', datatype: 'FP32', shape: [1, pixels] }];
    const raw = networkInput(1).toString('base64');
    const method = 'inference.GRPCInferenceService/ModelInfer';
    const snake = await call(1, method, { model_name: 'mnist', inputs, raw_input_contents: [raw] });
    const camel = await call(1, method, { modelName: 'mnist', inputs, rawInputContents: [raw] });
    expect(snake).toMatchObject({ modelName: 'mnist', modelVersion: '1', outputs: [{ shape: ['1', '10'] }] });
    expect(snake.rawOutputContents).toEqual([(await mesh.infer(1)).toString('base64')]);
    expect(camel).toEqual(snake);
  });

  it('calls Predict with a raw image', async () => {
    const content = Buffer.alloc(pixels).toString('base64');
    const request = { model: 'models/mnist/aliases/champion', records: [{ values: { image: { content } } }] };
    const { modelVersion, predictions } = await call(1, 'millrace.v1.PredictionService/Predict', request);
    expect(modelVersion).toBe('models/mnist/versions/1');
    expect(predictions[0].scores).toHaveLength(10);
    expect(predictions[0].label).toBe(predictions[0].scores[0].label);
  });

  it('calls GetTrainingJob and ListTrainingJobs', async () => {
    const job = await call(4, 'millrace.v1.TrainingService/GetTrainingJob', { name: mesh.job });
    expect(job).toMatchObject({ name: mesh.job, state: 'STATE_SUCCEEDED', epochsDone: 1, test: { rowCount: '10000' } });
    expect(await call(4, 'millrace.v1.TrainingService/ListTrainingJobs')).toEqual({
      trainingJobs: [job],
      latestPosition: expect.stringMatching(/^[1-9]\d*$/),
    });
  });

  it('calls ListModels and ListDatasets', async () => {
    expect(await call(3, 'millrace.v1.RegistryService/ListModels')).toMatchObject({
      models: [{ name: 'models/mnist', latestVersion: '1', aliases: { champion: '1' } }],
    });
    expect(await call(5, 'millrace.v1.PreprocessingService/ListDatasets')).toMatchObject({
      datasets: [{ name: 'datasets/mnist', latestVersion: '1' }],
    });
  });

  it('reads the metrics of every service', async () => {
    for (const { offset } of ports) {
      const { text } = await call(offset, 'millrace.v1.MetricsService/GetMetrics');
      expect(text).toContain('# TYPE process_cpu_seconds_total counter');
    }
  });

  it('watches a finished job: every event once, in order, to an end of its own', async () => {
    const request = JSON.stringify({ name: mesh.job });
    const stream = await answer('-d', request, mesh.address(4), 'millrace.v1.TrainingService/WatchTrainingJob');
    const events = stream
      .split(/^(?=\{)/m)
      .filter((text) => text.trim() !== '')
      .map((text) => JSON.parse(text));
    expect(events.map(({ sequence }) => Number(sequence))).toEqual(mesh.events.map((_, i) => i + 1));
    expect(events.at(-1)).toMatchObject({
      stateChange: { state: 'STATE_SUCCEEDED', modelVersion: 'models/mnist/versions/1' },
    });
  });

  it('prints which fields of a request are wrong', async () => {
    const spec = { dataset: 'datasets/mnist', epochs: -1, optimizer: { adam: { learning_rate: 0 } } };
    const words = await refusal(4, 'millrace.v1.TrainingService/CreateTrainingJob', { spec });
    expect(words).toContain('Code: InvalidArgument');
    expect(words).toContain('"@type": "type.googleapis.com/google.rpc.BadRequest"');
    expect(words).toMatch(/"field": "spec\.epochs",\s+"description": "[^"]*-1/);
    expect(words).toContain('"field": "spec.optimizer.adam.learning_rate"');
    expect(words).toContain('"@type": "type.googleapis.com/google.rpc.ErrorInfo"');
    expect(words).toContain('"domain": "millrace"');
  });

  it('prints that something does not exist', async () => {
    expect(await refusal(3, 'millrace.v1.RegistryService/GetModel', { name: 'models/minst' })).toContain('NotFound');
    const job = { name: 'trainingJobs/none' };
    expect(await refusal(4, 'millrace.v1.TrainingService/GetTrainingJob', job)).toContain('NotFound');
    expect(await refusal(4, 'millrace.v1.TrainingService/WatchTrainingJob', job)).toContain('NotFound');
  });
});
