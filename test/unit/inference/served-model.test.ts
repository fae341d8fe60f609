import { beforeEach, describe, expect, it } from 'vitest';
import { explainMissing, type ModelTable } from '../../../services/inference/model-table.js';
import { ServedModel } from '../../../services/inference/served-model.js';
import { describeVersion, digestOfVersion, preparedVersion } from './fake-version.js';

let model: ServedModel;
let routed: ModelTable[];
beforeEach(() => {
  model = new ServedModel('sums', (table) => {
    routed.push(table);
  });
  routed = [];
});

const aliases = (entries: Record<string, number>) => new Map(Object.entries(entries));

/** Makes the model want these versions and loads them all. */
function load(...numbers: number[]) {
  model.setVersions(
    numbers.map((number) => describeVersion(number)),
    false,
  );
  return numbers.map((number) => {
    const loaded = preparedVersion(number);
    model.setLoaded(loaded);
    return loaded;
  });
}

describe('explainMissing', () => {
  it.each([
    ['', 'UNAVAILABLE', "'sums' has no available versions"],
    ['7', 'NOT_FOUND', "'sums' version 7 is not found. None is served."],
    ['chmpion', 'NOT_FOUND', "'sums' version chmpion is not found"],
  ])('of an empty model, for version "%s"', (asked, code, words) => {
    expect(explainMissing(model.table, asked)).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it('names what is served beside an unknown version', () => {
    load(1, 3);
    model.setAliases(aliases({ champion: 3 }));
    expect(explainMissing(model.table, '2').message).toContain('Served are 1, 3, champion.');
  });

  it('says that a version is being loaded, or why it cannot be', () => {
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    model.setAliases(aliases({ champion: 2 }));
    expect(explainMissing(model.table, '1')).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('being loaded'),
    });
    model.setBroken(2, digestOfVersion(2), 'its weights are gone');
    for (const asked of ['2', 'champion', '']) {
      expect(explainMissing(model.table, asked)).toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('version 2 is not at ready state. It cannot be loaded: its weights are gone.'),
      });
    }
  });
});

describe('what answers by default', () => {
  it('is the newest loaded version without a champion', () => {
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    const first = preparedVersion(1);
    model.setLoaded(first);
    expect(model.find('')).toBe(first);
    const second = preparedVersion(2);
    model.setLoaded(second);
    expect(model.find('')).toBe(second);
  });

  it('is the champion, even an older version', () => {
    const [first] = load(1, 2);
    model.setAliases(aliases({ champion: 1, candidate: 2 }));
    expect(model.find('')).toBe(first!);
  });

  it('is nothing rather than an unpromoted version while the champion cannot answer', () => {
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    model.setAliases(aliases({ champion: 1 }));
    model.setLoaded(preparedVersion(2));
    expect(model.find('')).toBeNull();
    expect(model.find('2')).not.toBeNull();
  });
});

describe('an alias that moves', () => {
  it('moves at once to a version that is loaded', () => {
    const [first, second] = load(1, 2);
    model.setAliases(aliases({ champion: 1 }));
    expect(model.find('champion')).toBe(first!);
    model.setAliases(aliases({ champion: 2 }));
    expect(model.find('champion')).toBe(second!);
  });

  it('stays where it was until its target is loaded, and keeps that version alive so long', () => {
    const [first] = load(1);
    model.setAliases(aliases({ champion: 1 }));
    model.setAliases(aliases({ champion: 2 }));
    model.setVersions([describeVersion(2)], false);
    expect(model.find('champion')).toBe(first!);
    expect(first!.retirements).toBe(0);
    const second = preparedVersion(2);
    model.setLoaded(second);
    expect(model.find('champion')).toBe(second);
    expect(model.find('1')).toBeNull();
    expect(first!.retirements).toBe(1);
  });

  it('stays where it was when its target is broken', () => {
    const [first] = load(1);
    model.setAliases(aliases({ champion: 1 }));
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    model.setAliases(aliases({ champion: 2 }));
    model.setBroken(2, digestOfVersion(2), 'no');
    expect(model.find('')).toBe(first!);
    expect(model.statuses).toEqual([
      { version: 1, state: 'READY', reason: '' },
      { version: 2, state: 'UNAVAILABLE', reason: 'no' },
    ]);
  });
});

describe('versions that change', () => {
  it('are loaded in the order given, each once', () => {
    expect(model.setVersions([describeVersion(3), describeVersion(1)], false).map(({ number }) => number)).toEqual([
      3, 1,
    ]);
    model.setLoaded(preparedVersion(3));
    expect(model.setVersions([describeVersion(3), describeVersion(1)], false).map(({ number }) => number)).toEqual([1]);
  });

  it('are tried again when broken only if asked to', () => {
    model.setVersions([describeVersion(1)], false);
    model.setBroken(1, digestOfVersion(1), 'no');
    expect(model.setVersions([describeVersion(1)], false)).toEqual([]);
    expect(model.setVersions([describeVersion(1)], true)).toEqual([describeVersion(1)]);
  });

  it('are freed when they are no longer wanted', () => {
    const [first, second] = load(1, 2);
    model.setVersions([describeVersion(2)], false);
    expect([first!.retirements, second!.retirements]).toEqual([1, 0]);
    expect(model.loadedVersions).toEqual([2]);
  });

  it('keep answering under a number that was made anew, until the new one is loaded', () => {
    const [old] = load(1);
    const other = digestOfVersion(99);
    expect(model.setVersions([describeVersion(1, other)], false)).toHaveLength(1);
    expect(model.find('1')).toBe(old!);
    const anew = preparedVersion(1, other);
    model.setLoaded(anew);
    expect(model.find('1')).toBe(anew);
    expect(old!.retirements).toBe(1);
  });

  it('are freed at once when nobody wants them any more by the time they are loaded', () => {
    load(1);
    model.clear();
    const late = preparedVersion(1);
    model.setLoaded(late);
    expect(late.retirements).toBe(1);
    expect(model.find('')).toBeNull();
  });
});

describe('what workers are told', () => {
  it('names every route by the load that answers, before a version that is dropped is retired', () => {
    const [first] = load(1, 2);
    model.setAliases(aliases({ champion: 1 }));
    expect(routed.at(-1)).toMatchObject({
      name: 'sums',
      routes: new Map([
        ['1', 101],
        ['', 101],
        ['2', 102],
        ['champion', 101],
      ]),
      aliases: aliases({ champion: 1 }),
      versions: [
        { version: 1, state: 'READY', reason: '' },
        { version: 2, state: 'READY', reason: '' },
      ],
    });
    const told: number[] = [];
    first!.retire = () => told.push(routed.length);
    const before = routed.length;
    model.setAliases(aliases({ champion: 2 }));
    model.setVersions([describeVersion(2)], false);
    expect(told).toEqual([before + 2]);
    expect(routed.at(-1)!.routes.get('1')).toBeUndefined();
  });
});
