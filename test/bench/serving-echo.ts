import cluster from 'node:cluster';
import { once } from 'node:events';
import path from 'node:path';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { ModelInferResponse } from '../../proto/gen/inference/ModelInferResponse.js';
import { root } from '../support/mesh.js';

// What a gRPC server in Node costs at the least: it decodes a ModelInferRequest and encodes a prepared answer of the size of ours,
// as any service does that is made with @grpc/proto-loader. usage: serving-echo PORT PROCESSES

const [port, processes] = process.argv.slice(2).map(Number);
if (cluster.isPrimary && processes! > 1) {
  const workers = Array.from({ length: processes! }, () => cluster.fork());
  await Promise.all(workers.map((worker) => once(worker, 'listening')));
  process.stdout.write('listening\n');
} else {
  await serve(port!);
  process.stdout.write(cluster.isPrimary ? 'listening\n' : '');
}

async function serve(port: number): Promise<void> {
  const options = { longs: Number, enums: String, defaults: true, oneofs: true };
  const includeDirs = [path.join(root, 'proto')];
  const definition = loadSync('inference/grpc_service.proto', { ...options, includeDirs });
  const service = definition['inference.GRPCInferenceService'] as grpc.ServiceDefinition;
  const response: ModelInferResponse = {
    modelName: 'mnist',
    modelVersion: '1',
    outputs: [{ name: 'output', datatype: 'FP32', shape: [1, 10] }],
    rawOutputContents: [Buffer.alloc(10 * Float32Array.BYTES_PER_ELEMENT, 0x3d)],
  };
  const ModelInfer: grpc.handleUnaryCall<unknown, ModelInferResponse> = (_, answer) => answer(null, response);
  const server = new grpc.Server();
  server.addService(service, { ModelInfer });
  await new Promise<void>((resolve, reject) => {
    const credentials = grpc.ServerCredentials.createInsecure();
    server.bindAsync(`127.0.0.1:${port}`, credentials, (error) => (error ? reject(error) : resolve()));
  });
}
