import { ServiceError } from '../platform/errors.js';
import type { LoadedVersion } from './loaded-version.js';
import { ServedModel, type VersionStatus } from './served-model.js';

export interface ModelStatus {
  name: string;
  versions: VersionStatus[];
}

/** All models that are served, by name. */
export class ModelRepository {
  readonly #models = new Map<string, ServedModel>();
  #isReady = false;

  /** True once every model that the registry had at the first sync is loaded, or known to be broken. */
  get isReady(): boolean {
    return this.#isReady;
  }

  setReady(ready: boolean): void {
    this.#isReady = ready;
  }

  /** The version that answers to `asked`: empty (alias champion, else the newest), a number or an alias. */
  resolve(name: string, asked: string): LoadedVersion {
    return this.#models.get(name)?.find(asked) ?? this.#refuse(name, asked);
  }

  /** As `resolve`, but null where no version answers. */
  find(name: string, asked: string): LoadedVersion | null {
    return this.#models.get(name)?.find(asked) ?? null;
  }

  get(name: string): ServedModel | null {
    return this.#models.get(name) ?? null;
  }

  /** The model of this name, made where it is missing. */
  open(name: string): ServedModel {
    let model = this.#models.get(name);
    if (!model) {
      model = new ServedModel(name);
      this.#models.set(name, model);
    }
    return model;
  }

  remove(name: string): void {
    this.#models.get(name)?.clear();
    this.#models.delete(name);
  }

  clear(): void {
    for (const name of this.names) {
      this.remove(name);
    }
  }

  get names(): string[] {
    return [...this.#models.keys()];
  }

  /** Every version that answers. */
  get loaded(): LoadedVersion[] {
    return [...this.#models.values()].flatMap((model) => model.loaded);
  }

  /** Every model by name, with what is known of its versions. */
  get statuses(): ModelStatus[] {
    return [...this.#models.values()]
      .map((model) => ({ name: model.name, versions: model.statuses }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  #refuse(name: string, asked: string): never {
    const model = this.#models.get(name);
    if (model) {
      throw model.explainMissing(asked);
    }
    if (!this.#isReady) {
      const message = `The server has not yet loaded its models, so it cannot say whether '${name}' is one of them. Try again when ServerReady says so.`;
      throw new ServiceError('UNAVAILABLE', 'SERVER_NOT_READY', message);
    }
    throw new ServiceError('NOT_FOUND', 'MODEL_NOT_FOUND', `Request for unknown model: '${name}' is not found`);
  }
}
