/**
 * `node dist/test/bench/data-record.js` prints, as JSON, the processor time in us of transforming one raw record in process: 20
 * numbers that are filled and standardised, and 4 categories.
 */
import { pipelineFormat, preparePipeline, type RawRecord, transformRecords } from '../../services/pipeline/index.js';
import { categoryColumns, numberColumns, tableFeatures } from './table-csv.js';

const vocabulary = (i: number) => Array.from({ length: 10 * (i + 1) }, (_, k) => `v${k}`).sort();
const plain = { width: null, shape: [] };
const pipeline = preparePipeline({
  format: pipelineFormat,
  columns: [
    ...numberColumns.map((column, i) => {
      const standardise = { kind: 'standardise', subtract: i, divide: 1 + i } as const;
      return {
        column,
        type: 'float64' as const,
        ...plain,
        steps: [{ kind: 'impute' as const, value: i }, standardise],
      };
    }),
    ...categoryColumns.map((column, i) => {
      return {
        column,
        type: 'text' as const,
        ...plain,
        steps: [{ kind: 'oneHot' as const, categories: vocabulary(i) }],
      };
    }),
  ],
  label: { column: 'y', kind: 'classes', classes: ['0', '1'] },
  features: { count: tableFeatures, type: 'float32', scale: 1, offset: 0 },
});

const records = Array.from({ length: 1_000 }, (_, k): [RawRecord] => {
  const numbers = numberColumns.map((name, i) => [name, Math.sin(k * 20 + i)] as const);
  const categories = categoryColumns.map((name, i) => [name, `v${(k * 7) % (10 * (i + 1))}`] as const);
  return [Object.fromEntries([...numbers, ...categories])];
});

/** Each is awaited before the next begins, as a request is. */
async function transformAll(rounds: number): Promise<number> {
  const used = process.cpuUsage();
  for (let round = 0; round < rounds; round++) {
    for (const record of records) {
      await transformRecords(pipeline, record);
    }
  }
  const { user, system } = process.cpuUsage(used);
  return (user + system) / (rounds * records.length);
}

await transformAll(20);
console.log(JSON.stringify({ microseconds: await transformAll(100) }));
