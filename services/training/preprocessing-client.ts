import { contracts, createClient } from '../../proto/index.js';
import { ServiceError } from '../platform/errors.js';
import { TensorDecoder, type TensorShape, type Tensors } from './tensor-decoder.js';
import {
  type FitRequest,
  type FittedPipeline,
  type LabelKind,
  type LabelUnits,
  type Split,
  targetWidth,
} from './training-spec.js';

/** Fitting reads the whole training split; a large one takes its time. */
const fitTimeoutMs = 30 * 60_000;

const featureTypes = { FEATURE_TYPE_UINT8: 'uint8', FEATURE_TYPE_FLOAT32: 'float32' } as const;

/** Null: the label is not standardised. */
function labelUnitsOf(scales: readonly number[], offsets: readonly number[]): LabelUnits[] | null {
  return scales.length > 0 ? scales.map((scale, i) => ({ scale, offset: offsets[i]! })) : null;
}

/** What training asks of the preprocessing service. Failures are `RpcError`s. */
export class PreprocessingClient {
  readonly #service;
  readonly #flight;

  /** @param address host:port */
  constructor(address: string, messageBytesMax?: number) {
    this.#service = createClient(contracts.preprocessing, address, { messageBytesMax });
    this.#flight = createClient(contracts.flight, address, { messageBytesMax });
  }

  close(): void {
    this.#service.close();
    this.#flight.close();
  }

  /** @param dataset `datasets/NAME` or `datasets/NAME/versions/N`; the answer names the version */
  async fit(
    dataset: string,
    { pipeline, split, sampleWeight, part }: FitRequest,
    signal: AbortSignal,
  ): Promise<FittedPipeline> {
    const request = { dataset, spec: pipeline.message, split: split?.message ?? {}, sampleWeight, part };
    const fitted = await this.#service.fitPipeline(request, { signal, timeoutMs: fitTimeoutMs });
    const featureType = featureTypes[fitted.featureType as keyof typeof featureTypes];
    if (!featureType) {
      const message = `Expected preprocessing to send features of a known type but received ${fitted.featureType}.`;
      throw new ServiceError('UNIMPLEMENTED', 'FEATURE_TYPE_UNKNOWN', message);
    }
    return {
      name: fitted.name,
      digest: fitted.digest,
      datasetVersion: fitted.datasetVersion,
      datasetDigest: fitted.datasetDigest,
      definition: fitted.definition.toString('utf8'),
      featureCount: fitted.featureCount,
      featureNames: fitted.featureNames,
      featureType,
      featureScale: fitted.featureScale,
      featureOffset: fitted.featureOffset,
      classes: fitted.classes,
      numbers: fitted.numbers,
      sampleWeight: fitted.sampleWeight,
      labelUnits: labelUnitsOf(fitted.labelScale, fitted.labelOffset),
      rowCounts: {
        train: fitted.trainRowCount,
        validation: fitted.validationRowCount,
        test: fitted.testRowCount,
      },
    };
  }

  /** The prepared rows of one split, in their order. */
  async tensors(pipeline: FittedPipeline, labelKind: LabelKind, split: Split, signal: AbortSignal): Promise<Tensors> {
    const shape: TensorShape = {
      rows: pipeline.rowCounts[split],
      featureCount: pipeline.featureCount,
      featureType: pipeline.featureType,
      targetType: labelKind === 'classes' ? 'int32' : 'float32',
      targetWidth: targetWidth(labelKind, pipeline),
      hasWeights: Boolean(pipeline.sampleWeight),
    };
    const decoder = new TensorDecoder(shape);
    if (shape.rows > 0) {
      const ticket = Buffer.from(`${pipeline.name}/splits/${split}`);
      for await (const { dataHeader, dataBody } of this.#flight.doGet({ ticket }, { signal })) {
        // A message without a header carries metadata only.
        if (dataHeader.length > 0) {
          decoder.push(dataHeader, dataBody);
        }
      }
    }
    return decoder.finish();
  }
}
