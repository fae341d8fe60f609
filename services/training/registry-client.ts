import { contracts, createClient, RpcError } from '../../proto/index.js';
import { digestOf } from '../platform/blob-store.js';
import type { Artifacts } from './artifacts.js';
import { comparisonNames } from './contract-names.js';
import { type Promotion, parsePromoteIf } from './promotion-condition.js';
import { toSpecMessage } from './spec-rpc.js';
import type { FittedPipeline, TrainingSpec } from './training-spec.js';

/** A model version to be. */
export interface Publication {
  /** `trainingJobs/ID`; makes the call safe to repeat. */
  trainingJob: string;
  spec: TrainingSpec;
  pipeline: FittedPipeline;
  engineVersion: string;
  instructionSet: string;
  artifacts: Artifacts;
  metrics: Record<string, number>;
}

/** The version that was made. */
export interface Published {
  /** `models/NAME/versions/N` */
  name: string;
  /** Null: its aliases moved without a condition. */
  promotion: Promotion | null;
}

const chunkBytes = 256 * 1024;
const uploadTimeoutMs = 30 * 60_000;

/** What training asks of the registry. Failures are `RpcError`s. */
export class RegistryClient {
  readonly #service;

  /** @param address host:port */
  constructor(address: string, messageBytesMax?: number) {
    this.#service = createClient(contracts.registry, address, { messageBytesMax });
  }

  close(): void {
    this.#service.close();
  }

  /**
   * Makes the version and moves its aliases; doing so again changes nothing and answers the same.
   *
   * @param signal stops the uploads; the last step is not interrupted, so that its outcome is known
   */
  async publish(publication: Publication, signal: AbortSignal): Promise<Published> {
    const { spec, pipeline } = publication;
    const files = Object.entries(publication.artifacts);
    const [artifacts] = await Promise.all([
      Promise.all(files.map(async ([path, bytes]) => ({ path, digest: await this.#upload(bytes, signal) }))),
      this.#ensureModel(spec.publish.model, signal),
    ]);
    signal.throwIfAborted();
    const condition = spec.publish.promoteIf ? parsePromoteIf(spec.publish.promoteIf) : null;
    const version = await this.#service.createModelVersion({
      parent: spec.publish.model,
      modelVersion: {
        artifacts,
        lineage: {
          trainingJob: publication.trainingJob,
          datasetVersion: pipeline.datasetVersion,
          datasetDigest: pipeline.datasetDigest,
          pipelineDigest: pipeline.digest,
          spec: toSpecMessage(spec),
          engineVersion: publication.engineVersion,
          instructionSet: publication.instructionSet,
        },
        metrics: publication.metrics,
      },
      aliases: spec.publish.aliases,
      promotionCondition: condition && { ...condition, comparison: comparisonNames[condition.comparison] },
      requestId: publication.trainingJob,
    });
    const { name, promotion } = version;
    return { name, promotion: promotion && fromPromotion(promotion) };
  }

  async #upload(bytes: Uint8Array, signal: AbortSignal): Promise<string> {
    const digest = digestOf(bytes);
    await this.#service.uploadBlob(uploadOf(bytes, digest), { signal, timeoutMs: uploadTimeoutMs });
    return digest;
  }

  async #ensureModel(name: string, signal: AbortSignal): Promise<void> {
    try {
      await this.#service.createModel({ modelId: name.slice('models/'.length) }, { signal });
    } catch (error) {
      if (!(error instanceof RpcError && error.code === 'ALREADY_EXISTS')) {
        throw error;
      }
    }
  }
}

/** As the message has it. */
interface PromotionMessage {
  promoted: boolean;
  comparedVersion: number;
  bound?: number;
}

function fromPromotion({ promoted, comparedVersion, bound }: PromotionMessage): Promotion {
  return { isPromoted: promoted, comparedVersion: comparedVersion || null, bound: bound ?? null };
}

function* uploadOf(bytes: Uint8Array, digest: string) {
  yield { blob: { digest, sizeBytes: bytes.length } };
  for (let begin = 0; begin < bytes.length; begin += chunkBytes) {
    yield { chunk: bytes.subarray(begin, begin + chunkBytes) };
  }
}
