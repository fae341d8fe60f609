import { beforeEach, describe, expect, it } from 'vitest';
import { ServedModel } from '../../../services/inference/served-model.js';
import { describeVersion, digestOfVersion, sumVersion } from './fake-version.js';

let model: ServedModel;
beforeEach(() => {
  model = new ServedModel('sums');
});

const aliases = (entries: Record<string, number>) => new Map(Object.entries(entries));

/** Makes the model want these versions and loads them all. */
function load(...numbers: number[]) {
  model.setVersions(
    numbers.map((number) => describeVersion(number)),
    false,
  );
  return numbers.map((number) => {
    const loaded = sumVersion(number);
    model.setLoaded(loaded.version);
    return loaded;
  });
}

describe('explainMissing', () => {
  it.each([
    ['', 'UNAVAILABLE', "'sums' has no available versions"],
    ['7', 'NOT_FOUND', "'sums' version 7 is not found. None is served."],
    ['chmpion', 'NOT_FOUND', "'sums' version chmpion is not found"],
  ])('of an empty model, for version "%s"', (asked, code, words) => {
    expect(model.explainMissing(asked)).toMatchObject({ code, message: expect.stringContaining(words) });
  });

  it('names what is served beside an unknown version', () => {
    load(1, 3);
    model.setAliases(aliases({ champion: 3 }));
    expect(model.explainMissing('2').message).toContain('Served are 1, 3, champion.');
  });

  it('says that a version is being loaded, or why it cannot be', () => {
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    model.setAliases(aliases({ champion: 2 }));
    expect(model.explainMissing('1')).toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('being loaded'),
    });
    model.setBroken(2, digestOfVersion(2), 'its weights are gone');
    for (const asked of ['2', 'champion', '']) {
      expect(model.explainMissing(asked)).toMatchObject({
        code: 'UNAVAILABLE',
        message: expect.stringContaining('version 2 is not at ready state. It cannot be loaded: its weights are gone.'),
      });
    }
  });
});

describe('what answers by default', () => {
  it('is the newest loaded version without a champion', () => {
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    const first = sumVersion(1).version;
    model.setLoaded(first);
    expect(model.find('')).toBe(first);
    const second = sumVersion(2).version;
    model.setLoaded(second);
    expect(model.find('')).toBe(second);
  });

  it('is the champion, even an older version', () => {
    const [first] = load(1, 2);
    model.setAliases(aliases({ champion: 1, candidate: 2 }));
    expect(model.find('')).toBe(first!.version);
  });

  it('is nothing rather than an unpromoted version while the champion cannot answer', () => {
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    model.setAliases(aliases({ champion: 1 }));
    model.setLoaded(sumVersion(2).version);
    expect(model.find('')).toBeNull();
    expect(model.find('2')).not.toBeNull();
  });
});

describe('an alias that moves', () => {
  it('moves at once to a version that is loaded', () => {
    const [first, second] = load(1, 2);
    model.setAliases(aliases({ champion: 1 }));
    expect(model.find('champion')).toBe(first!.version);
    model.setAliases(aliases({ champion: 2 }));
    expect(model.find('champion')).toBe(second!.version);
  });

  it('stays where it was until its target is loaded, and keeps that version alive so long', () => {
    const [first] = load(1);
    model.setAliases(aliases({ champion: 1 }));
    model.setAliases(aliases({ champion: 2 }));
    model.setVersions([describeVersion(2)], false);
    expect(model.find('champion')).toBe(first!.version);
    expect(first!.network.disposals).toBe(0);
    const second = sumVersion(2);
    model.setLoaded(second.version);
    expect(model.find('champion')).toBe(second.version);
    expect(model.find('1')).toBeNull();
    expect(first!.network.disposals).toBe(1);
  });

  it('stays where it was when its target is broken', () => {
    const [first] = load(1);
    model.setAliases(aliases({ champion: 1 }));
    model.setVersions([describeVersion(1), describeVersion(2)], false);
    model.setAliases(aliases({ champion: 2 }));
    model.setBroken(2, digestOfVersion(2), 'no');
    expect(model.find('')).toBe(first!.version);
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
    model.setLoaded(sumVersion(3).version);
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
    expect([first!.network.disposals, second!.network.disposals]).toEqual([1, 0]);
    expect(model.loadedVersions).toEqual([2]);
  });

  it('keep answering under a number that was made anew, until the new one is loaded', () => {
    const [old] = load(1);
    const other = digestOfVersion(99);
    expect(model.setVersions([describeVersion(1, other)], false)).toHaveLength(1);
    expect(model.find('1')).toBe(old!.version);
    const anew = sumVersion(1, { digest: other });
    model.setLoaded(anew.version);
    expect(model.find('1')).toBe(anew.version);
    expect(old!.network.disposals).toBe(1);
  });

  it('are freed at once when nobody wants them any more by the time they are loaded', () => {
    load(1);
    model.clear();
    const late = sumVersion(1);
    model.setLoaded(late.version);
    expect(late.network.disposals).toBe(1);
    expect(model.find('')).toBeNull();
  });
});
