import { expect, it } from 'vitest';
import { preparePipeline } from '../../../services/pipeline/index.js';
import { joinBody } from '../../../services/platform/arrow-messages.js';
import { decodeMessage } from '../../../services/preprocessing/arrow-message.js';
import { wholeTable } from '../../../services/preprocessing/row-range.js';
import { encodeTensors, tensorColumns } from '../../../services/preprocessing/tensors.js';
import { TensorDecoder } from '../../../services/training/tensor-decoder.js';
import { openTable } from './table.js';

it('sends the weights of the rows of a split beside features and label', async () => {
  const content = { x: [1, 2, 3, 4, 5], w: [0.5, 1, 0, 2, 3], y: [0, 1, 0, 1, 0] };
  const table = await openTable({ x: ['int64', content.x], w: ['float64', content.w], y: ['int64', content.y] }, 2);
  const pipeline = preparePipeline({
    format: 'millrace.pipeline/1',
    columns: [{ column: 'x', type: 'int64', width: null, shape: [], steps: [] }],
    label: { column: 'y', kind: 'classes', classes: ['0', '1'] },
    features: { count: 1, type: 'float32', scale: 1, offset: 0 },
  });
  const shape = { rows: 3, featureCount: 1, featureType: 'float32', targetType: 'int32', targetWidth: null } as const;
  const decoder = new TensorDecoder({ ...shape, hasWeights: true });
  const part = { columns: [0, 1, 2], rows: wholeTable };
  // Rows 1, 3 and 4 are for training.
  for await (const message of encodeTensors(pipeline, table, Uint8Array.of(0, 1, 0, 0, 2), 'train', part, 'w')) {
    decoder.push(message.header, joinBody(message));
  }
  await table.close();
  expect(decoder.finish()).toEqual({
    rows: 3,
    features: Float32Array.of(1, 3, 4),
    targets: Int32Array.of(0, 0, 1),
    weights: Float32Array.of(0.5, 0, 2),
  });
  expect(tensorColumns(pipeline, 'w').map(({ name }) => name)).toEqual(['features', 'label', 'weight']);
});

it('cuts batches where one-hot features make rows wide', async () => {
  const rows = 5_000;
  const categories = Array.from({ length: 1_000 }, (_, i) => i);
  const table = await openTable(
    {
      x: ['int64', Array.from({ length: rows }, (_, i) => i % 1_000)],
      y: ['int64', Array.from({ length: rows }, (_, i) => i % 2)],
    },
    rows,
  );
  const pipeline = preparePipeline({
    format: 'millrace.pipeline/1',
    columns: [{ column: 'x', type: 'int64', width: null, shape: [], steps: [{ kind: 'oneHot', categories }] }],
    label: { column: 'y', kind: 'classes', classes: ['0', '1'] },
    features: { count: 1_000, type: 'float32', scale: 1, offset: 0 },
  });
  let sent = 0;
  for await (const { header, bodyBytes } of encodeTensors(pipeline, table, new Uint8Array(rows), 'train')) {
    const message = decodeMessage(header);
    sent += message.kind === 'batch' ? message.batch.length : 0;
    expect(bodyBytes).toBeLessThanOrEqual(8.1 * 1024 * 1024);
  }
  await table.close();
  expect(sent).toBe(rows);
});
