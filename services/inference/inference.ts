import { checkRecordCount } from '../pipeline/index.js';
import { ServiceError } from '../platform/errors.js';
import { observe } from '../platform/histogram-counts.js';
import type { Caller } from './admission.js';
import type { Urgency } from './batcher.js';
import { type LabelledAnswer, labelAnswers } from './labelled-answer.js';
import type { LoadedVersion } from './loaded-version.js';
import type { ModelRepository } from './model-repository.js';
import { toBytes, toFloats } from './network-executable.js';
import type { RawRecord } from './record-pipeline.js';
import type { RequestSights } from './request-sights.js';
import type { Shadowing } from './shadowing.js';
import { type AnswerTensor, answerTensors } from './tensor-answer.js';
import { readRequest, type SharedMemory, type TensorRequest } from './tensor-request.js';
import { addDuration } from './version-statistics.js';

/** The rows that a version answered with. */
export interface TensorAnswer {
  version: LoadedVersion;
  tensors: readonly AnswerTensor[];
  /** The caller asked to be told which answer is a request's last. */
  marksFinal: boolean;
}

export interface RecordsAnswer {
  version: LoadedVersion;
  answers: LabelledAnswer[];
}

const recordsMax = 10_000;
const unhurried: Urgency = { priority: 0, timeoutUs: 0 };

/** Answers requests with the versions that are loaded. */
export class Inference {
  constructor(
    readonly repository: ModelRepository,
    private readonly memory: SharedMemory,
    private readonly sights: RequestSights,
    private readonly shadowing: Shadowing,
  ) {}

  /**
   * @param asked version: empty, a number or an alias
   * @param routingKey of the call; a request's own goes before it
   */
  async infer(
    model: string,
    asked: string,
    request: TensorRequest,
    caller: Caller,
    routingKey: () => string,
  ): Promise<TensorAnswer> {
    const begin = performance.now();
    caller.throwIfGone();
    const version = this.repository.choose(
      model,
      asked,
      () => request.parameters.routing_key?.stringParam || routingKey(),
    );
    try {
      const { rows, inputs, outputs, options, regions } = readRequest(request, version, this.memory);
      const sight = this.sights.of(version, caller);
      const computed = await version.compute({ inputs, rows, caller, urgency: options, timing: sight?.timing ?? null });
      const tensors = answerTensors(version, computed, rows, outputs, this.memory);
      for (const region of regions) {
        this.memory.expectWhole(region);
      }
      sight?.tell({ id: request.id, rows, begin });
      succeeded(version, begin);
      const shadow = this.repository.get(model)?.shadowOf(asked);
      if (shadow) {
        this.shadowing.copyTensors(shadow, version, inputs, rows, computed);
      }
      return { version, tensors, marksFinal: options.marksFinal };
    } catch (error) {
      addDuration(version.statistics.fail, performance.now() - begin);
      throw error;
    }
  }

  /** Raw records through the version's pipeline and network, answered in the words of its label. */
  async predict(
    model: string,
    asked: string,
    records: readonly RawRecord[],
    caller: Caller,
    routingKey: () => string,
  ): Promise<RecordsAnswer> {
    const begin = performance.now();
    const version = this.repository.choose(model, asked, routingKey);
    version.enter();
    try {
      const rows = records.length;
      checkRecordCount(rows, Math.min(recordsMax, version.rowsMax));
      if (!version.transform) {
        const message = `Model '${model}' has no pipeline, so it takes no records. Send tensors by ModelInfer.`;
        throw new ServiceError('FAILED_PRECONDITION', 'NO_PIPELINE', message);
      }
      const values = await version.transform(records);
      const inputs = [toBytes(values)];
      const [output] = await version.compute({ inputs, rows, caller, urgency: unhurried, timing: null });
      const answers = labelAnswers(toFloats(output!), rows, version);
      succeeded(version, begin);
      const shadow = this.repository.get(model)?.shadowOf(asked);
      if (shadow) {
        this.shadowing.copyRecords(shadow, version, records, [output!]);
      }
      return { version, answers };
    } catch (error) {
      addDuration(version.statistics.fail, performance.now() - begin);
      throw error;
    } finally {
      version.leave();
    }
  }
}

function succeeded({ statistics }: LoadedVersion, begin: number): void {
  const ms = performance.now() - begin;
  addDuration(statistics.success, ms);
  observe(statistics.requestSeconds, ms / 1_000);
}
