import * as arrow from 'apache-arrow';
import type { Record as RawRecord } from '../../proto/gen/millrace/v1/Record.js';
import { places } from './tabular-model.js';

/** A row of a table that the tabular model reads. */
export interface Guest {
  id: bigint;
  age: number;
  visits: bigint | null;
  member: boolean;
  place: string;
  spot: number[];
}

/** Rows of the same numbers each time. */
export const guestsOf = (count: number): Guest[] =>
  Array.from({ length: count }, (_, i) => ({
    id: BigInt(i),
    age: 18 + ((i * 37) % 800) / 10,
    visits: i % 7 === 0 ? null : BigInt((i * 13) % 20),
    member: i % 3 === 0,
    place: places[(i * 11) % 3]!,
    spot: [Math.fround(((i * 7) % 100) / 30), Math.fround(((i * 3) % 50) / 20)],
  }));

/** `place` as a dictionary, and several batches of uneven length, as others may put them. */
export function guestTable(rows: readonly Guest[], batchRows = 3_333): arrow.Table {
  const spot = new arrow.FixedSizeList(2, new arrow.Field('item', new arrow.Float32(), true));
  const types = {
    id: new arrow.Int64(),
    age: new arrow.Float64(),
    visits: new arrow.Int64(),
    member: new arrow.Bool(),
    place: new arrow.Dictionary(new arrow.Utf8(), new arrow.Int8(), 7),
    spot,
  };
  const schema = new arrow.Schema(Object.entries(types).map(([name, type]) => new arrow.Field(name, type, true)));
  const dictionary = arrow.vectorFromArray(places, new arrow.Utf8());
  const batches: arrow.RecordBatch[] = [];
  for (let begin = 0; begin < rows.length; begin += batchRows) {
    const part = rows.slice(begin, begin + batchRows);
    const length = part.length;
    const spots = Float32Array.from(part.flatMap((guest) => guest.spot));
    const children = [
      arrow.vectorFromArray(
        part.map(({ id }) => id),
        types.id,
      ).data[0]!,
      arrow.vectorFromArray(
        part.map(({ age }) => age),
        types.age,
      ).data[0]!,
      arrow.vectorFromArray(
        part.map(({ visits }) => visits),
        types.visits,
      ).data[0]!,
      arrow.vectorFromArray(
        part.map(({ member }) => member),
        types.member,
      ).data[0]!,
      arrow.makeData({
        type: types.place,
        length,
        data: Int8Array.from(part, (guest) => places.indexOf(guest.place)),
        dictionary,
      }),
      arrow.makeData({
        type: spot,
        length,
        child: arrow.makeData({ type: new arrow.Float32(), length: 2 * length, data: spots }),
      }),
    ];
    const data = arrow.makeData({ type: new arrow.Struct(schema.fields), length, children });
    batches.push(new arrow.RecordBatch(schema, data));
  }
  return new arrow.Table(schema, batches);
}

export const toRecord = ({ age, visits, member, place, spot }: Guest): RawRecord => ({
  values: {
    age: { number: age },
    visits: visits === null ? {} : { number: Number(visits) },
    member: { boolean: member },
    place: { text: place },
    spot: { numbers: { values: spot } },
  },
});
