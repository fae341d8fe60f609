import { z } from 'zod';
import { describeMessage } from '../../proto/index.js';
import { optionsOf } from './calls.js';
import { byVersion, type InferenceClient, modelOf } from './oip-routes.js';
import { toProtoJson } from './proto-json.js';
import type { Call, Route } from './routes.js';

const configTensor = z.looseObject({ name: z.string(), data_type: z.string(), dims: z.array(z.int()) });

const modelConfig = z
  .looseObject({
    name: z.string(),
    platform: z.string(),
    backend: z.string(),
    max_batch_size: z.int(),
    input: z.array(configTensor),
    output: z.array(configTensor),
  })
  .meta({ description: '`inference.ModelConfig` (`model_config.proto`), names as there.' });

const count = z.int().nonnegative();
const duration = z.object({ count, ns: count });

const modelStatistics = z.object({
  model_stats: z.array(
    z.looseObject({
      name: z.string(),
      version: z.string(),
      last_inference: count.meta({ description: 'Milliseconds since 1970; 0: never.' }),
      inference_count: count,
      execution_count: count,
      inference_stats: z.looseObject({
        success: duration,
        fail: duration,
        queue: duration,
        compute_input: duration,
        compute_infer: duration,
        compute_output: duration,
      }),
      batch_stats: z.array(
        z.looseObject({
          batch_size: count,
          compute_input: duration,
          compute_infer: duration,
          compute_output: duration,
        }),
      ),
    }),
  ),
});

/** Triton's extensions of model configuration and statistics. */
export function modelRoutes(inference: InferenceClient): Route[] {
  async function statistics(call: Call, model: { name: string; version: string }) {
    const { modelStats } = await inference.modelStatistics(model, optionsOf(call));
    const type = describe('inference.ModelStatistics');
    return { model_stats: modelStats.map((stats) => toProtoJson(type, { ...stats })) };
  }
  return [
    ...byVersion({
      method: 'GET',
      path: '/config',
      operation: 'modelConfig',
      summary: 'Configuration of a model, every default filled in.',
      takes: null,
      gives: modelConfig,
      async handle(call) {
        const { config } = await inference.modelConfig(modelOf(call), optionsOf(call));
        return toProtoJson(describe('inference.ModelConfig'), { ...config });
      },
    }),
    ...byVersion({
      method: 'GET',
      path: '/stats',
      operation: 'modelStatistics',
      summary: 'Counters of a model.',
      takes: null,
      gives: modelStatistics,
      handle: (call) => statistics(call, modelOf(call)),
    }),
    {
      method: 'GET',
      path: '/v2/models/stats',
      operation: 'allModelStatistics',
      summary: 'Counters of every model.',
      takes: null,
      gives: modelStatistics,
      handle: (call) => statistics(call, { name: '', version: '' }),
    },
  ];
}

type Described = 'inference.ModelConfig' | 'inference.ModelStatistics';
const descriptions = new Map<Described, ReturnType<typeof describeMessage>>();

/** Read from its .proto file when it is first asked for. */
function describe(name: Described) {
  const description = descriptions.get(name) ?? describeMessage(name);
  descriptions.set(name, description);
  return description;
}
