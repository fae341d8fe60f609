import { afterAll, beforeAll, expect, it } from 'vitest';
import { run, TestMesh } from '../support/mesh.js';
import { tempFolder } from '../support/temp-folder.js';
import { describeWith, goTool } from './installed-tools.js';

const probed: [offset: number, service: string][] = [
  ...[1, 3, 4, 5].flatMap((offset): [number, string][] => [
    [offset, ''],
    [offset, 'millrace.v1.MetricsService'],
  ]),
  [1, 'inference.GRPCInferenceService'],
  [1, 'millrace.v1.PredictionService'],
  [3, 'millrace.v1.RegistryService'],
  [4, 'millrace.v1.TrainingService'],
  [4, 'millrace.v1.TuningService'],
  [5, 'arrow.flight.protocol.FlightService'],
  [5, 'millrace.v1.PreprocessingService'],
];

/** Exit status of the probe. */
const connectionFailure = 2;
const rpcFailure = 3;

describeWith(await goTool('grpc-health-probe'), 'grpc-health-probe', (program) => {
  let mesh: TestMesh;
  beforeAll(async () => {
    mesh = await TestMesh.start(tempFolder());
  });
  afterAll(() => mesh?.stop());

  const probe = (offset: number, ...args: string[]) =>
    run(program, [`-addr=127.0.0.1:${mesh.portBase + offset}`, '-rpc-timeout=10s', ...args]);

  it.each(probed)('finds port base + %d serving "%s"', async (offset, service) => {
    const { status, stderr } = await probe(offset, '-connect-timeout=10s', `-service=${service}`);
    expect(stderr).toContain('status: SERVING');
    expect(status).toBe(0);
  });

  it('is told that a service is unknown', async () => {
    const { status, stderr } = await probe(3, '-connect-timeout=10s', '-service=millrace.v1.TrainingService');
    expect(stderr).toContain('NotFound');
    expect(status).toBe(rpcFailure);
  });

  it('cannot connect any more once the mesh is stopped', async () => {
    await mesh.stop();
    // A refused connection is tried again until the timeout.
    const probes = [1, 3, 4, 5].map((offset) => probe(offset, '-connect-timeout=1s'));
    for (const { status } of await Promise.all(probes)) {
      expect(status).toBe(connectionFailure);
    }
  });
});
