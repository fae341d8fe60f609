import { contracts } from '../../proto/index.js';
import { ServiceError } from '../../services/platform/errors.js';
import { implement } from '../../services/platform/handler.js';
import { Metrics } from '../../services/platform/metrics.js';
import { type RunningServer, startServer } from '../../services/platform/server.js';
import { deferred, untilAborted } from './kit-server.js';
import { silentLog } from './serving.js';

export const duration = { count: 2, ns: 9_000_000_000_000 };
const times = { computeInput: duration, computeInfer: duration, computeOutput: duration };

/** What reached a `FakeInference`, by method. */
export type Asked = Record<string, unknown>;

/** Every method of inference with an answer that is always the same; an inference gives its inputs back. */
export interface FakeInference extends RunningServer {
  asked: Asked;
  /** All inferences that came. */
  inferences: unknown[];
  /** When an inference of the model `slow`, which has no end, has come. */
  arrived: Promise<void>;
  /** When it was given up. */
  cancelled: Promise<void>;
}

export async function startFakeInference(): Promise<FakeInference> {
  const asked: Asked = {};
  const inferences: unknown[] = [];
  const arrived = deferred();
  const cancelled = deferred();
  const answer =
    <T>(method: string, response: T) =>
    (request: unknown) => {
      asked[method] = request;
      return response;
    };
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    log: silentLog,
    metrics: new Metrics('inference'),
    implementations: [
      implement(contracts.inference, {
        ModelConfig: answer('config', {
          config: {
            name: 'm',
            backend: 'millrace',
            maxBatchSize: 8,
            input: [{ name: 'x', dataType: 'TYPE_INT64', dims: [-1, 4] }],
            dynamicBatching: { preferredBatchSize: [4, 8], maxQueueDelayMicroseconds: 100 },
            parameters: { labelFile: { stringValue: 'a' } },
          },
        }),
        ModelStatistics: answer('stats', {
          modelStats: [
            {
              name: 'm',
              version: '3',
              lastInference: 1_790_000_000_000,
              inferenceCount: 7,
              inferenceStats: { success: duration, fail: duration, queue: duration, ...times },
              batchStats: [{ batchSize: 4, ...times }],
            },
          ],
        }),
        RepositoryIndex: answer('index', { models: [{ name: 'm', version: '3', state: 'READY' }] }),
        RepositoryModelLoad: answer('load', {}),
        RepositoryModelUnload: answer('unload', {}),
        SystemSharedMemoryStatus: answer('status', {
          regions: { in: { name: 'in', key: '/in', offset: 8, byteSize: 64 } },
        }),
        SystemSharedMemoryRegister: (request) => {
          asked.register = request;
          if (request.name === 'taken') {
            throw new ServiceError('ALREADY_EXISTS', 'REGION_EXISTS', 'There is one.');
          }
          return {};
        },
        SystemSharedMemoryUnregister: answer('unregister', {}),
        TraceSetting: answer('trace', {
          settings: { trace_level: { value: ['TIMESTAMPS'] }, trace_rate: { value: ['1000'] } },
        }),
        LogSettings: answer('log', {
          settings: {
            log_info: { boolParam: true },
            log_verbose_level: { uint32Param: 0 },
            log_format: { stringParam: 'default' },
          },
        }),
        ModelMetadata: ({ name }) => {
          const tensors = name === 'two' ? ['x', 'y'] : ['x'];
          return {
            name,
            inputs: tensors.map((name) => ({ name, datatype: 'BYTES', shape: [-1, 1] })),
          };
        },
        ModelInfer: async (request, { signal }) => {
          asked.infer = request;
          inferences.push(request);
          if (request.modelName === 'slow') {
            arrived.resolve();
            await untilAborted(signal).finally(() => cancelled.resolve());
          }
          const outputs = request.inputs.map(({ name, datatype, shape, parameters }) => ({
            name,
            datatype,
            shape,
            parameters,
          }));
          let next = 0;
          return {
            modelName: request.modelName,
            modelVersion: '3',
            id: request.id,
            parameters: { ...request.parameters, final: { boolParam: true } },
            outputs,
            rawOutputContents: request.inputs.map(({ parameters }) =>
              parameters.shared_memory_region ? Buffer.alloc(0) : request.rawInputContents[next++]!,
            ),
          };
        },
      }),
      implement(contracts.prediction, {
        Predict: answer('predict', {
          modelVersion: 'models/m/versions/3',
          predictions: [{ label: 'a', scores: [{ label: 'a', probability: 1 }] }, { number: 0 }],
        }),
      }),
    ],
  });
  server.setServing(true);
  return { ...server, asked, inferences, arrived: arrived.promise, cancelled: cancelled.promise };
}
