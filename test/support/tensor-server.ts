import { pino } from 'pino';
import { contracts } from '../../proto/index.js';
import { digestOf } from '../../services/platform/blob-store.js';
import { ServiceError } from '../../services/platform/errors.js';
import { implement } from '../../services/platform/handler.js';
import { Metrics } from '../../services/platform/metrics.js';
import { type RunningServer, startServer } from '../../services/platform/server.js';
import { type TensorRows, tensorMessages } from './arrow-messages.js';

const featureCount = 16;
const classes = ['east', 'north', 'south', 'west'];
const rowCounts = { train: 24_000, validation: 2_000, test: 2_000 };
const batchRows = 5_000;

/** `datasets/points` as preprocessing would serve it: what training is tested against when no file is to be imported. */
export interface TensorServer extends RunningServer {
  /** Tickets asked for, in order. */
  tickets: string[];
}

/** @param port 0: any free one */
export async function startTensorServer(port = 0): Promise<TensorServer> {
  const tickets: string[] = [];
  const server = await startServer({
    host: '127.0.0.1',
    port,
    log: pino({ level: 'silent' }),
    metrics: new Metrics('preprocessing'),
    implementations: [
      implement(contracts.preprocessing, {
        FitPipeline: ({ dataset, spec, split }) => {
          if (!/^datasets\/points(\/versions\/1)?$/.test(dataset)) {
            throw new ServiceError('NOT_FOUND', 'DATASET_NOT_FOUND', `There is no ${dataset}.`);
          }
          const definition = Buffer.from('{"format":"millrace.pipeline/1"}');
          return {
            name: 'pipelines/points',
            digest: digestOf(definition),
            datasetVersion: 'datasets/points/versions/1',
            datasetDigest: digestOf('points'),
            spec,
            split,
            definition,
            featureCount,
            featureType: 'FEATURE_TYPE_UINT8',
            featureScale: 1 / 255,
            featureOffset: 0,
            classes,
            trainRowCount: rowCounts.train,
            validationRowCount: rowCounts.validation,
            testRowCount: rowCounts.test,
          };
        },
      }),
      implement(contracts.flight, {
        async *DoGet({ ticket }) {
          const text = ticket.toString();
          tickets.push(text);
          const split = text.split('/').at(-1) as keyof typeof rowCounts;
          for (const { header, body } of tensorMessages(pointsOf(split), { featureCount })) {
            yield { dataHeader: header, dataBody: [body] };
          }
        },
      }),
    ],
  });
  server.setServing(true);
  return { ...server, tickets };
}

/** Points whose class follows from which half of the features is brighter, with noise. The same each time. */
function pointsOf(split: keyof typeof rowCounts): TensorRows[] {
  let state = { train: 1, validation: 2, test: 3 }[split];
  const random = () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
  const batches: TensorRows[] = [];
  for (let begin = 0; begin < rowCounts[split]; begin += batchRows) {
    const rows = Math.min(batchRows, rowCounts[split] - begin);
    const labels = Int32Array.from({ length: rows }, () => Math.floor(random() * classes.length));
    const features = Uint8Array.from({ length: rows * featureCount }, (_, i) => {
      const isBright = i % classes.length === labels[Math.floor(i / featureCount)];
      return 255 * (0.6 * random() + (isBright ? 0.2 : 0));
    });
    batches.push({ features, labels });
  }
  return batches;
}
