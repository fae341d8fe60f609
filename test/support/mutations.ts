import fc from 'fast-check';

/** `MILLRACE_FUZZ_RUNS=100000 npx vitest run test/native/fuzz.test.ts` looks for longer. */
export const fuzzRuns = Number(process.env.MILLRACE_FUZZ_RUNS ?? 300);

/** What a caller may hand over by mistake: any value, and numbers at the borders of what is allowed. */
export const wrongValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.anything({ withBigInt: true, withDate: true, withMap: true, withNullPrototype: true, withTypedArray: true }),
  fc.constantFrom(-1, -0, 0.5, 1, 2, 3, 17, 2 ** 31, 2 ** 32, 2 ** 53, 1e-300, 1e39, Number.MAX_VALUE),
  fc.constantFrom(Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, null, undefined, true, ''),
  fc.constantFrom(Symbol('s'), () => 1, class {}, new Proxy({}, {}), new Float64Array(3), new ArrayBuffer(8)),
  fc.string({ unit: 'binary', maxLength: 20 }),
);

type Container = Record<string, unknown>;

const isContainer = (value: unknown): value is Container =>
  typeof value === 'object' && value !== null && !ArrayBuffer.isView(value);

function* placesIn(value: unknown): Generator<[Container, string]> {
  if (!isContainer(value)) return;
  for (const key of Object.keys(value)) {
    yield [value, key];
    yield* placesIn(value[key]);
  }
}

/** Copies with one to three places of the tree put to a wrong value, or to the value of another place, or taken away. */
export function mutated<Value>(valid: Value): fc.Arbitrary<Value> {
  const change = fc.record({ at: fc.nat(), from: fc.nat(), kind: fc.nat(3), value: wrongValue });
  return fc.array(change, { minLength: 1, maxLength: 3 }).map((changes) => {
    const copy = structuredClone(valid);
    for (const { at, from, kind, value } of changes) {
      const places = [...placesIn(copy)];
      if (places.length === 0) break;
      const [owner, key] = places[at % places.length]!;
      const [other, otherKey] = places[from % places.length]!;
      if (kind === 0) delete owner[key];
      else if (kind === 1) owner[key] = structuredClone(other[otherKey]);
      else owner[key] = value;
      // A copied or foreign value can hold what only a clone of may be changed again.
      if (kind > 1) break;
    }
    return copy;
  });
}

/** Copies with some bytes changed, a part cut out, or bytes put in. */
export function mutatedBytes(valid: Uint8Array): fc.Arbitrary<Uint8Array> {
  const change = fc.record({ at: fc.nat(valid.length - 1), byte: fc.integer({ min: 0, max: 255 }), kind: fc.nat(3) });
  return fc.array(change, { minLength: 1, maxLength: 8 }).map((changes) => {
    let bytes = [...valid];
    for (const { at, byte, kind } of changes) {
      if (kind === 0) bytes = [...bytes.slice(0, at), ...bytes.slice(at + byte)];
      else if (kind === 1) bytes.splice(at, 0, byte);
      else bytes[Math.min(at, bytes.length - 1)] = byte;
    }
    return Uint8Array.from(bytes);
  });
}
