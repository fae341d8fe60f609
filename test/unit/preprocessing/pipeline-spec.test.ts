import { expect, it } from 'vitest';
import { Violations } from '../../../services/platform/errors.js';
import type { Column, ColumnType } from '../../../services/preprocessing/column.js';
import { checkPipelineSpec } from '../../../services/preprocessing/pipeline-spec.js';

const column = (name: string, type: ColumnType): Column => ({ name, type, shape: [] });

it('refuses types that no step reads, as a feature and as the label', () => {
  const columns = [
    column('when', { kind: 'timestamp', unit: 'microsecond', timezone: 'UTC' }),
    column('tags', { kind: 'nested', form: 'List', width: null, item: { kind: 'text', large: false } }),
    column('price', { kind: 'decimal', precision: 10, scale: 2 }),
  ];
  const violations = new Violations();
  const spec = {
    columns: ['when', 'tags'].map((name) => ({ column: name, steps: [] })),
    label: { column: 'price', kind: 'classes' as const },
  };
  checkPipelineSpec(spec, columns, violations);
  expect(() => violations.throwIfAny()).toThrow(
    'makes numbers of times, like calendar, since column "when" is Timestamp[us, UTC].',
  );
  expect(() => violations.throwIfAny()).toThrow('`spec.columns[1].column` to be of type');
  expect(() => violations.throwIfAny()).toThrow('"tags" is List<Utf8>.');
  expect(() => violations.throwIfAny()).toThrow(
    '`spec.label.column` to be a column of single values but "price" is Decimal128[10, 2].',
  );
});
