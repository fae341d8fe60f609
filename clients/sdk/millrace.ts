import type { BatchPrediction__Output as BatchPrediction } from '../../proto/gen/millrace/v1/BatchPrediction.js';
import type { DatasetVersion__Output as DatasetVersion } from '../../proto/gen/millrace/v1/DatasetVersion.js';
import type { Deployment__Output as Deployment } from '../../proto/gen/millrace/v1/Deployment.js';
import type { ModelVersion__Output as ModelVersion } from '../../proto/gen/millrace/v1/ModelVersion.js';
import type { Record as RawRecord } from '../../proto/gen/millrace/v1/Record.js';
import type { TrainingEvent__Output as TrainingEvent } from '../../proto/gen/millrace/v1/TrainingEvent.js';
import type { TrainingJobEvent__Output as TrainingJobEvent } from '../../proto/gen/millrace/v1/TrainingJobEvent.js';
import type { TuningEvent__Output as TuningEvent } from '../../proto/gen/millrace/v1/TuningEvent.js';
import { contracts, createClient } from '../../proto/index.js';
import { type PreviewedRow, type PreviewOptions, previewDataset } from './dataset.js';
import { type ImportOptions, importDataset } from './dataset-import.js';
import { type DeploymentChange, deploymentUpdate } from './deployment.js';
import { importModel } from './model-import.js';
import { reconnecting } from './reconnecting.js';
import { predictRecords, type RecordAnswer } from './record-stream.js';
import { type ServedOptions, untilServed } from './served.js';
import { type FollowOptions, followTrainingJob, followTrainingJobs } from './training-watch.js';
import { followTuningJob } from './tuning-watch.js';

/** Where the mesh is. Defaults: 127.0.0.1 and port base 8000, as `millrace up` has them. */
export interface MillraceOptions {
  host?: string;
  portBase?: number;
  /** Largest message taken or sent, bytes; default 64 MiB, as `millrace up` has it. */
  messageBytesMax?: number;
}

const portOffsets = { inference: 1, registry: 3, training: 4, preprocessing: 5 };

/** All services of one mesh. Methods are promises; streams are async generators; errors are `RpcError`. */
export class Millrace {
  readonly preprocessing;
  readonly training;
  readonly tuning;
  readonly registry;
  readonly inference;
  readonly prediction;

  /** The mesh is on this machine, and reads the same files. */
  readonly #isHere: boolean;

  constructor({ host = '127.0.0.1', portBase = 8000, messageBytesMax }: MillraceOptions = {}) {
    this.#isHere = host === 'localhost' || host === '::1' || /^127\.\d+\.\d+\.\d+$/.test(host);
    const name = host.includes(':') ? `[${host}]` : host;
    const at = (service: keyof typeof portOffsets) => `${name}:${portBase + portOffsets[service]}`;
    this.preprocessing = createClient(contracts.preprocessing, at('preprocessing'), { messageBytesMax });
    this.training = createClient(contracts.training, at('training'), { messageBytesMax });
    this.tuning = createClient(contracts.tuning, at('training'), { messageBytesMax });
    this.registry = createClient(contracts.registry, at('registry'), { messageBytesMax });
    this.inference = createClient(contracts.inference, at('inference'), { messageBytesMax });
    this.prediction = createClient(contracts.prediction, at('inference'), { messageBytesMax });
  }

  /**
   * A job's events, each once and in order, to its end: a dropped connection, or a service that restarts, only makes a pause.
   * @param name `trainingJobs/ID`
   */
  followTrainingJob(name: string, options: FollowOptions = {}): AsyncGenerator<TrainingEvent, void> {
    return followTrainingJob(this.training, name, options);
  }

  /**
   * The events of all jobs that pass a filter, each once and in order, until they are no longer wanted.
   * @param filter as in WatchTrainingJobs, for example `labels.team = vision`; empty: all
   */
  followTrainingJobs(filter = '', options: FollowOptions = {}): AsyncGenerator<TrainingJobEvent, void> {
    return followTrainingJobs(this.training, filter, options);
  }

  /**
   * A tuning's events, each once and in order, to its end; the newest of each trial is its line of the leaderboard.
   * @param name `tuningJobs/ID`
   */
  followTuningJob(
    name: string,
    options: Pick<FollowOptions, 'after' | 'signal'> = {},
  ): AsyncGenerator<TuningEvent, void> {
    return followTuningJob(this.tuning, name, options);
  }

  /**
   * An answer to each record, in order, over one stream: as many records as there are, read at the pace of the answers. A
   * record that is refused gets an error of its own, and the others go on.
   * @param model `models/NAME`, `models/NAME/versions/N` or `models/NAME/aliases/ALIAS`
   */
  predictRecords(
    model: string,
    records: AsyncIterable<RawRecord> | Iterable<RawRecord>,
    signal?: AbortSignal,
  ): AsyncGenerator<RecordAnswer, void> {
    return predictRecords(this.prediction, model, records, { signal });
  }

  /**
   * A batch prediction as it stands, and again whenever it has changed, to its end: a dropped connection, or a service that
   * restarts, only makes a pause.
   * @param name `batchPredictions/ID`
   */
  followBatchPrediction(name: string, signal?: AbortSignal): AsyncGenerator<BatchPrediction, void> {
    return reconnecting(() => this.prediction.watchBatchPrediction({ name }, { signal, waitForReady: true }), signal);
  }

  /**
   * Reads files, folders and addresses into a new version of a dataset, or answers the version that holds the same rows.
   * @param dataset `mnist`, or `datasets/mnist`; it is made where it is missing
   * @param paths files and folders of this machine, and http(s) addresses that the service fetches
   */
  importDataset(dataset: string, paths: readonly string[], options: ImportOptions = {}): Promise<DatasetVersion> {
    const name = dataset.startsWith('datasets/') ? dataset : `datasets/${dataset}`;
    return importDataset(this.preprocessing, name, paths, {
      ...options,
      upload: options.upload ?? !this.#isHere,
    });
  }

  /**
   * Some rows of a dataset.
   * @param name `datasets/NAME` for its latest version, or `datasets/NAME/versions/N`
   */
  previewDataset(name: string, options: PreviewOptions = {}): Promise<PreviewedRow[]> {
    return previewDataset(this.preprocessing, name, options);
  }

  /**
   * Changes how a model is served, on every server; answers how it is served then.
   * @param model `mnist`, or `models/mnist`
   */
  deployModel(model: string, change: DeploymentChange): Promise<Deployment> {
    return this.registry.updateDeployment(deploymentUpdate(model, change));
  }

  /**
   * Makes a version of files on this machine: an ONNX file, or a folder with `model.onnx` or the files of a trained version.
   * @param model `mnist`, or `models/mnist`; it is made where it is missing
   * @param aliases that are to point to the version, for example `champion`
   */
  importModel(model: string, source: string, aliases: readonly string[] = []): Promise<ModelVersion> {
    const parent = model.startsWith('models/') ? model : `models/${model}`;
    return importModel(this.registry, parent, source, aliases);
  }

  /**
   * Resolves once a version is served: inference follows the registry by itself, and loading takes its time.
   * @param version `models/NAME/versions/N`
   * @throws NotServedError where it cannot be loaded, or is not in time
   */
  untilServed(version: string, options: ServedOptions = {}): Promise<void> {
    return untilServed(this.inference, version, options);
  }

  /** Closes all connections. */
  close(): void {
    const { preprocessing, training, tuning, registry, inference, prediction } = this;
    for (const client of [preprocessing, training, tuning, registry, inference, prediction]) {
      client.close();
    }
  }
}
