import { describe, expect, it } from 'vitest';
import { type FieldKind, fieldKinds, kindOfField } from '../../../../services/preprocessing/import/field-kind.js';

function kindOf(text: string): FieldKind {
  // Bytes of other fields stand around a field.
  const bytes = Buffer.from(`9,${text},9`);
  return kindOfField(bytes, 2, bytes.length - 2);
}

describe('kindOfField', () => {
  const { missing, integer, number, text } = fieldKinds;
  it.each<[FieldKind, string[]]>([
    [missing, ['']],
    [
      integer,
      ['0', '-1', '+1', '007', ' 12', '12\t', '9223372036854775807', '-9223372036854775808', `${'0'.repeat(30)}1`],
    ],
    [
      number,
      ['9223372036854775808', '-9223372036854775809', '1.0', '.5', '5.', '-.5', '1e5', '1.5E-7', ' +2.5 ', '1e999'],
    ],
    [number, ['nan', 'NaN', 'NAN', '-nan', '+NaN', 'inf', 'INF', '-inf', 'Infinity', '-infinity', '+INFINITY']],
    [
      text,
      [
        ' ',
        '.',
        '+',
        '-',
        '-.',
        'e5',
        '1e',
        '1e+',
        '1.5.2',
        '1_000',
        '1,5',
        '0x10',
        '1 2',
        '--1',
        'nan(1)',
        'NA',
        '1d',
      ],
    ],
  ])('takes for kind %i: %j', (kind, fields) => {
    expect(fields.map((field) => [field, kindOf(field)])).toEqual(fields.map((field) => [field, kind]));
  });
});
