import { beforeEach, describe, expect, it } from 'vitest';
import { defaultDeployment } from '../../../services/registry/deployment.js';
import type { Model } from '../../../services/registry/model.js';
import { type ModelEvent, type WatchedModels, watchModels } from '../../../services/registry/model-watch.js';

/** Models in memory, changed at the instant a test says. */
class FakeModels implements WatchedModels {
  readonly models = new Map<string, Model>();
  readonly listeners = new Set<(model: string) => void>();
  pagesRead = 0;
  /** Runs while a page is being read. */
  onPage = () => {};

  set(id: string, latestVersion: number): void {
    const deployment = { ...defaultDeployment(), model: id, updateTimeMs: null };
    this.models.set(id, { id, createTimeMs: 0, updateTimeMs: 0, latestVersion, aliases: {}, deployment });
    this.#tell(id);
  }

  delete(id: string): void {
    this.models.delete(id);
    this.#tell(id);
  }

  #tell(id: string): void {
    for (const listener of this.listeners) {
      listener(id);
    }
  }

  onChange(listener: (model: string) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  async listModels(limit: number, after: string | null): Promise<Model[]> {
    this.pagesRead++;
    const ids = [...this.models.keys()].sort().filter((id) => after === null || id > after);
    const page = ids.slice(0, limit).map((id) => this.models.get(id)!);
    this.onPage();
    return page;
  }

  async findModel(id: string): Promise<Model | null> {
    return this.models.get(id) ?? null;
  }
}

let models: FakeModels;
let controller: AbortController;
let watch: AsyncGenerator<ModelEvent, void>;

const shown = (event: ModelEvent) =>
  event.kind === 'model'
    ? `${event.model.id}=${event.model.latestVersion}`
    : event.kind === 'deleted'
      ? `${event.id} deleted`
      : 'synced';

/** The next `count` events, in short. */
async function next(count: number): Promise<string[]> {
  const events: string[] = [];
  while (events.length < count) {
    const { value, done } = await watch.next();
    events.push(done ? 'end' : shown(value));
  }
  return events;
}

beforeEach(() => {
  models = new FakeModels();
  controller = new AbortController();
  watch = watchModels(models, controller.signal);
});

describe('watchModels', () => {
  it('ends at once when it was aborted before', async () => {
    models.set('a', 1);
    controller.abort();
    expect(await next(1)).toEqual(['end']);
    expect(models.listeners.size).toBe(0);
  });

  it('ends when it is aborted while it waits, and listens no more', async () => {
    expect(await next(1)).toEqual(['synced']);
    const waiting = watch.next();
    expect(models.listeners.size).toBe(1);
    controller.abort();
    expect((await waiting).done).toBe(true);
    expect(models.listeners.size).toBe(0);
  });

  it('listens no more when its reader leaves', async () => {
    await next(1);
    await watch.return();
    expect(models.listeners.size).toBe(0);
  });

  it('sends a snapshot larger than a page by name, each model once', async () => {
    const ids = Array.from({ length: 2_000 }, (_, i) => `m${String(i).padStart(4, '0')}`);
    for (const id of ids) {
      models.set(id, 1);
    }
    expect(await next(2_001)).toEqual([...ids.map((id) => `${id}=1`), 'synced']);
    expect(models.pagesRead).toBe(3);
  });

  it('sends what changed while the snapshot was read', async () => {
    models.set('b', 1);
    models.onPage = () => {
      models.onPage = () => {};
      models.set('a', 1);
      models.set('b', 2);
      models.delete('c');
    };
    expect(await next(5)).toEqual(['b=1', 'synced', 'a=1', 'b=2', 'c deleted']);
  });

  it('sends changes in the order in which models changed', async () => {
    await next(1);
    models.set('b', 1);
    models.set('a', 1);
    models.delete('b');
    models.set('c', 1);
    expect(await next(3)).toEqual(['b deleted', 'a=1', 'c=1']);
  });

  it('sends each change to a reader that keeps up', async () => {
    await next(1);
    for (let version = 1; version <= 10; version++) {
      const [event] = await Promise.all([next(1), models.set('a', version)]);
      expect(event).toEqual([`a=${version}`]);
    }
  });

  it('spares a slow reader the states that are past', async () => {
    await next(1);
    for (let version = 1; version <= 1_000; version++) {
      models.set('a', version);
      models.set('b', version);
    }
    expect(await next(2)).toEqual(['a=1000', 'b=1000']);
    models.set('a', 1_001);
    expect(await next(1)).toEqual(['a=1001']);
  });

  it('serves several readers, each at its own pace', async () => {
    const other = watchModels(models, controller.signal);
    expect((await other.next()).value).toEqual({ kind: 'synced' });
    await next(1);
    models.set('a', 1);
    expect(await next(1)).toEqual(['a=1']);
    models.set('a', 2);
    expect(await next(1)).toEqual(['a=2']);
    expect((await other.next()).value).toMatchObject({ model: { latestVersion: 2 } });
  });
});
