import type { Model } from './model.js';

export type ModelEvent =
  | { kind: 'model'; model: Model }
  | { kind: 'deleted'; id: string }
  /** Every model has been sent once. */
  | { kind: 'synced' };

/** What a watch needs of a `ModelStore`. */
export interface WatchedModels {
  onChange(listener: (model: string) => void): () => void;
  listModels(limit: number, after: string | null): Promise<Model[]>;
  findModel(id: string): Promise<Model | null>;
}

const snapshotPageSize = 1_000;

/**
 * Every model as it stands, `synced`, then changes until `signal` is aborted.
 *
 * A watcher remembers the ids that have changed, not what they changed to, and reads a model when its turn comes. So a slow
 * watcher holds no more than one id a model and skips states that are past, no watcher ever goes back to an older
 * state, and changes made while the snapshot is read are not lost.
 */
export async function* watchModels(store: WatchedModels, signal: AbortSignal): AsyncGenerator<ModelEvent, void> {
  const changed = new Set<string>();
  let wake = () => {};
  const unsubscribe = store.onChange((id) => {
    changed.add(id);
    wake();
  });
  const onAbort = () => wake();
  signal.addEventListener('abort', onAbort);
  try {
    yield* snapshot(store, signal);
    while (!signal.aborted) {
      const [id] = changed;
      if (id === undefined) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
        continue;
      }
      changed.delete(id);
      const model = await store.findModel(id);
      yield model ? { kind: 'model', model } : { kind: 'deleted', id };
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    unsubscribe();
  }
}

async function* snapshot(store: WatchedModels, signal: AbortSignal): AsyncGenerator<ModelEvent, void> {
  let after: string | null = null;
  while (!signal.aborted) {
    const page: Model[] = await store.listModels(snapshotPageSize, after);
    for (const model of page) {
      yield { kind: 'model', model };
    }
    if (page.length < snapshotPageSize) {
      yield { kind: 'synced' };
      return;
    }
    after = page.at(-1)!.id;
  }
}
