import type { ModelTable, VersionStatus } from './model-table.js';
import { ServedModel } from './served-model.js';

export interface ModelStatus {
  name: string;
  versions: VersionStatus[];
}

/** Hears of every change of what is served, in the order in which it happens. */
export interface CatalogListener {
  routed(table: ModelTable): void;
  removed(model: string): void;
  ready(isReady: boolean): void;
}

/** All models that there are, by name. The coordinator decides here; workers are told. */
export class ModelCatalog {
  readonly #models = new Map<string, ServedModel>();
  #isReady = false;

  constructor(private readonly listener: CatalogListener) {}

  /** True once every model that the registry had at the first sync is loaded, or known to be broken. */
  get isReady(): boolean {
    return this.#isReady;
  }

  setReady(ready: boolean): void {
    this.#isReady = ready;
    this.listener.ready(ready);
  }

  get(name: string): ServedModel | null {
    return this.#models.get(name) ?? null;
  }

  /** The model of this name, made where it is missing. */
  open(name: string): ServedModel {
    let model = this.#models.get(name);
    if (!model) {
      model = new ServedModel(name, (table) => this.listener.routed(table));
      this.#models.set(name, model);
    }
    return model;
  }

  remove(name: string): void {
    const model = this.#models.get(name);
    if (model) {
      this.#models.delete(name);
      model.clear();
      this.listener.removed(name);
    }
  }

  clear(): void {
    for (const name of this.names) {
      this.remove(name);
    }
  }

  get names(): string[] {
    return [...this.#models.keys()];
  }

  /** Every model by name, with what is known of its versions. */
  get statuses(): ModelStatus[] {
    return [...this.#models.values()]
      .map((model) => ({ name: model.name, versions: model.statuses }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}
