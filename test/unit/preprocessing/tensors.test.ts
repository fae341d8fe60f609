import { expect, it } from 'vitest';
import { preparePipeline } from '../../../services/pipeline/index.js';
import { decodeMessage } from '../../../services/preprocessing/arrow-message.js';
import { encodeTensors } from '../../../services/preprocessing/tensors.js';
import { openTable } from './table.js';

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
