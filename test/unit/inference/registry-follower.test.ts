import { setImmediate } from 'node:timers/promises';
import { pino } from 'pino';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ModelCatalog } from '../../../services/inference/model-catalog.js';
import { BrokenArtifact } from '../../../services/inference/model-files.js';
import {
  defaultDeployment,
  type Registry,
  type RegistryEvent,
  RegistryUnavailable,
  type VersionDescriptor,
} from '../../../services/inference/registry.js';
import { RegistryFollower } from '../../../services/inference/registry-follower.js';
import { describeVersion, preparedVersion } from './fake-version.js';

/** A registry in memory, whose watch is fed by hand. */
class MemoryRegistry implements Registry {
  versions: VersionDescriptor[] = [];
  failures: unknown[] = [];
  #events: (RegistryEvent | Error)[] = [];
  #wake = () => {};

  tell(...events: (RegistryEvent | Error)[]): void {
    this.#events.push(...events);
    this.#wake();
  }

  async *watch(signal: AbortSignal): AsyncIterable<RegistryEvent> {
    signal.addEventListener('abort', () => this.#wake());
    while (!signal.aborted) {
      const event = this.#events.shift();
      if (event instanceof Error) {
        throw event;
      }
      if (event) {
        yield event;
      } else {
        await new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
      }
    }
  }

  async newestVersions(_: string, count: number): Promise<VersionDescriptor[]> {
    const failure = this.failures.shift();
    if (failure) {
      throw failure;
    }
    return this.versions.toSorted((a, b) => b.number - a.number).slice(0, count);
  }

  async findVersion(_: string, number: number): Promise<VersionDescriptor | null> {
    return this.versions.find((version) => version.number === number) ?? null;
  }

  download(): AsyncIterable<Uint8Array> {
    throw new Error('nothing is downloaded here');
  }
}

const away = new RegistryUnavailable('away');
const sums = (aliases: Record<string, number> = {}): RegistryEvent => ({
  kind: 'model',
  model: { name: 'sums', aliases: new Map(Object.entries(aliases)), deployment: defaultDeployment },
});
const synced: RegistryEvent = { kind: 'synced' };

let registry: MemoryRegistry;
let catalog: ModelCatalog;
let follower: RegistryFollower;
let loads: number[];
let load: (number: number) => unknown;
let ready: Promise<void>;

beforeEach(() => {
  registry = new MemoryRegistry();
  catalog = new ModelCatalog({ routed: () => {}, removed: () => {}, ready: () => {} });
  loads = [];
  load = () => {};
  const loader = {
    load: async (_: string, { number, digest }: VersionDescriptor) => {
      loads.push(number);
      await load(number);
      return preparedVersion(number, digest);
    },
  };
  ready = new Promise((onReady) => {
    const sleep = () => setImmediate<void>();
    const log = pino({ level: 'silent' });
    follower = new RegistryFollower({ registry, catalog, loader, loadedVersionsMax: 2, log, sleep, onReady });
  });
  follower.start();
});
afterEach(async () => {
  await follower.stop();
});

/** Lets everything happen that can; nothing here takes longer than a few turns of the event loop. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) {
    await setImmediate();
  }
}

describe('RegistryFollower', () => {
  it('is ready with an empty registry, and not before it has answered', async () => {
    await settle();
    expect(catalog.isReady).toBe(false);
    registry.tell(synced);
    await ready;
    expect(catalog.isReady).toBe(true);
  });

  it('is ready only when the loads of the first sync have ended, broken ones too', async () => {
    registry.versions = [describeVersion(1), describeVersion(2)];
    load = (number) => {
      expect(catalog.isReady).toBe(false);
      if (number === 2) {
        throw new BrokenArtifact('no');
      }
    };
    registry.tell(sums(), synced);
    await ready;
    expect(catalog.statuses).toEqual([
      {
        name: 'sums',
        versions: [
          { version: 1, state: 'READY', reason: '' },
          { version: 2, state: 'UNAVAILABLE', reason: 'no' },
        ],
      },
    ]);
  });

  it('loads the champion first, then the newest', async () => {
    registry.versions = [1, 2, 3, 4].map((number) => describeVersion(number));
    registry.tell(sums({ candidate: 4, champion: 1 }), synced);
    await ready;
    expect(loads).toEqual([1, 4, 3]);
  });

  it('tries a version again when only the registry was away', async () => {
    registry.versions = [describeVersion(1)];
    let attempts = 0;
    load = () => {
      if (++attempts < 4) {
        throw away;
      }
    };
    registry.tell(sums(), synced);
    await settle();
    await ready;
    expect(attempts).toBe(4);
    expect(catalog.get('sums')?.find('1') ?? null).not.toBeNull();
  });

  it('tries a model again when its versions could not be listed', async () => {
    registry.versions = [describeVersion(1)];
    registry.failures = [away, away];
    registry.tell(sums(), synced);
    await settle();
    expect(catalog.get('sums')?.find('1') ?? null).not.toBeNull();
  });

  it('does not let one model that cannot be listed keep the server from being ready', async () => {
    registry.failures = [new Error('a bug of the registry')];
    registry.tell(sums(), synced);
    await ready;
    expect(catalog.isReady).toBe(true);
  });

  it('tries a broken version again with a new connection, not with every change', async () => {
    registry.versions = [describeVersion(1)];
    load = () => {
      throw new BrokenArtifact('no');
    };
    registry.tell(sums(), synced);
    await ready;
    registry.tell(sums({ candidate: 1 }));
    await settle();
    expect(loads).toEqual([1]);
    load = () => {};
    registry.tell(away, sums({ candidate: 1 }), synced);
    await settle();
    expect(loads).toEqual([1, 1]);
    expect(catalog.get('sums')?.find('candidate')).not.toBeNull();
  });

  it('keeps serving while the registry is away, and drops what is gone when it is back', async () => {
    registry.versions = [describeVersion(1)];
    registry.tell(sums(), synced);
    await ready;
    registry.tell(away, away);
    await settle();
    expect(catalog.get('sums')?.find('1') ?? null).not.toBeNull();
    registry.tell(synced);
    await settle();
    expect(catalog.get('sums')?.find('1') ?? null).toBeNull();
    expect(catalog.names).toEqual([]);
  });

  it('leaves older work for newer news', async () => {
    registry.versions = [describeVersion(1), describeVersion(2)];
    let isFirst = true;
    load = () => {
      if (isFirst) {
        isFirst = false;
        registry.versions = [describeVersion(2), describeVersion(3)];
        registry.tell(sums({ champion: 3 }));
        return setImmediate();
      }
      return null;
    };
    registry.tell(sums(), synced);
    await settle();
    expect(loads).toEqual([2, 3]);
    expect(catalog.get('sums')!.find('')!.number).toBe(3);
  });

  it('frees a model that is deleted while one of its versions is being loaded', async () => {
    registry.versions = [describeVersion(1)];
    load = () => registry.tell({ kind: 'deleted', name: 'sums' });
    registry.tell(synced, sums());
    await settle();
    expect(loads).toEqual([1]);
    expect(catalog.names).toEqual([]);
  });
});
