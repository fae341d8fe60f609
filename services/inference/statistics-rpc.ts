import type { ModelStatistics } from '../../proto/gen/inference/ModelStatistics.js';
import type { StatisticsEntry } from './control.js';
import type { DurationStatistic } from './version-statistics.js';

/** What a version has done, in the protocol's form. */
export function toModelStatistics({ model, version, statistics, sizeBytes }: StatisticsEntry): ModelStatistics {
  return {
    name: model,
    version: String(version),
    lastInference: statistics.lastInferenceMs,
    inferenceCount: statistics.inferenceCount,
    executionCount: statistics.executionCount,
    inferenceStats: {
      success: toDuration(statistics.success),
      fail: toDuration(statistics.fail),
      queue: toDuration(statistics.queue),
      computeInput: toDuration(statistics.computeInput),
      computeInfer: toDuration(statistics.computeInfer),
      computeOutput: toDuration(statistics.computeOutput),
      cacheHit: toDuration(statistics.cacheHit),
      cacheMiss: toDuration(statistics.cacheMiss),
    },
    batchStats: Object.entries(statistics.batches).map(([rows, batch]) => ({
      batchSize: Number(rows),
      computeInput: toDuration({ count: batch.count, ns: batch.computeInputNs }),
      computeInfer: toDuration({ count: batch.count, ns: batch.computeInferNs }),
      computeOutput: toDuration({ count: batch.count, ns: batch.computeOutputNs }),
    })),
    memoryUsage: [{ type: 'CPU', id: 0, byteSize: sizeBytes }],
  };
}

const toDuration = ({ count, ns }: DurationStatistic) => ({ count, ns: Math.round(ns) });
