import type { BlobStore } from '../platform/blob-store.js';
import type { Insertable, Kysely, Selectable } from '../platform/database.js';
import { ServiceError, Violations } from '../platform/errors.js';
import { applyMask } from '../platform/field-mask.js';
import { checkDeployment, type Deployment, deploymentFields, type StoredDeployment } from './deployment.js';
import { checkTargets, selectDeployments, writeDeployment } from './deployment-table.js';
import { checkNewVersion, manifestDigest } from './manifest.js';
import type { Artifact, Lineage, Model, ModelVersion, NewModelVersion } from './model.js';
import type { Promotion } from './promotion.js';
import { decide } from './promotion-table.js';
import type { Query, Schema } from './schema.js';

type VersionRow = Selectable<Schema['modelVersions']>;

/** Models, versions, aliases and deployments. Every change is one transaction; what a method has answered survives a crash. */
export class ModelStore {
  readonly #listeners = new Set<(model: string) => void>();

  constructor(
    private readonly database: Kysely<Schema>,
    private readonly blobs: BlobStore,
    private readonly now: () => number = Date.now,
  ) {}

  /** Calls `listener` with a model's id after each change to it, now and then without one; returns how to stop that. */
  onChange(listener: (model: string) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  async createModel(id: string): Promise<Model> {
    return this.#change(id, async (query) => {
      const time = this.now();
      const row = { id, createTimeMs: time, updateTimeMs: time };
      const result = await query
        .insertInto('models')
        .values(row)
        .onConflict((conflict) => conflict.doNothing())
        .executeTakeFirst();
      if (result.numInsertedOrUpdatedRows === 0n) {
        throw new ServiceError('ALREADY_EXISTS', 'MODEL_EXISTS', `The model models/${id} exists already.`);
      }
      return requireModel(query, id);
    });
  }

  async getModel(id: string): Promise<Model> {
    return (await this.findModel(id)) ?? notFound(id);
  }

  async findModel(id: string): Promise<Model | null> {
    return this.#read((query) => selectModel(query, id));
  }

  /** Models by id, those after `after`. */
  async listModels(limit: number, after: string | null): Promise<Model[]> {
    return this.#read(async (query) => {
      let page = query.selectFrom('models').selectAll().orderBy('id').limit(limit);
      if (after !== null) {
        page = page.where('id', '>', after);
      }
      return complete(query, await page.execute());
    });
  }

  async deleteModel(id: string): Promise<void> {
    await this.#change(id, async (query) => {
      await requireModel(query, id);
      await query.deleteFrom('deployments').where('model', '=', id).execute();
      await query.deleteFrom('aliases').where('model', '=', id).execute();
      await query.deleteFrom('artifacts').where('model', '=', id).execute();
      await query.deleteFrom('modelVersions').where('model', '=', id).execute();
      await query.deleteFrom('models').where('id', '=', id).execute();
    });
  }

  /** Adds a version under the next number. A repeated `requestId` answers the version of the first time. */
  async createVersion(model: string, given: NewModelVersion): Promise<ModelVersion> {
    checkNewVersion(given);
    const artifacts = await this.#locate(given.artifacts);
    return this.#change(model, async (query) => {
      await requireModel(query, model);
      const digest = manifestDigest(artifacts);
      const made = await selectRequested(query, model, given.requestId);
      if (made) {
        return repeat(query, made, digest);
      }
      const time = this.now();
      const version = await takeNumber(query, model);
      const promotion = given.condition && (await decide(query, model, given.condition, given.metrics));
      const row: Insertable<Schema['modelVersions']> = {
        model,
        version,
        digest,
        lineage: given.lineage && JSON.stringify(given.lineage),
        metrics: JSON.stringify(given.metrics),
        promotion: promotion && JSON.stringify(promotion),
        requestId: given.requestId || null,
        createTimeMs: time,
      };
      await query.insertInto('modelVersions').values(row).execute();
      await query
        .insertInto('artifacts')
        .values(artifacts.map((artifact) => ({ model, version, ...artifact })))
        .execute();
      for (const alias of (promotion?.isPromoted ?? true) ? given.aliases : []) {
        await pointAlias(query, { model, alias, version });
      }
      await touch(query, model, time);
      return requireVersion(query, model, version);
    });
  }

  async getVersion(model: string, version: number): Promise<ModelVersion> {
    return this.#read((query) => requireVersion(query, model, version));
  }

  /** The version that an alias points to. */
  async resolveAlias(model: string, alias: string): Promise<ModelVersion> {
    return this.#read(async (query) => requireVersion(query, model, await requireAlias(query, model, alias)));
  }

  /** Versions of a model, newest first, those before `before`. */
  async listVersions(model: string, limit: number, before: number | null): Promise<ModelVersion[]> {
    return this.#read(async (query) => {
      await requireModel(query, model);
      let page = query.selectFrom('modelVersions').selectAll().where('model', '=', model);
      if (before !== null) {
        page = page.where('version', '<', before);
      }
      const rows = await page.orderBy('version', 'desc').limit(limit).execute();
      return completeVersions(query, model, rows);
    });
  }

  /** Refused while an alias points to the version: whoever follows the alias would be left with nothing. */
  async deleteVersion(model: string, version: number): Promise<void> {
    await this.#change(model, async (query) => {
      const { aliases } = await requireVersion(query, model, version);
      if (aliases.length > 0) {
        const message = `${nameOf(model, version)} is the version of ${aliases.join(', ')}. Point these aliases to another version first.`;
        throw new ServiceError('FAILED_PRECONDITION', 'VERSION_HAS_ALIAS', message);
      }
      for (const table of ['artifacts', 'modelVersions'] as const) {
        await query.deleteFrom(table).where('model', '=', model).where('version', '=', version).execute();
      }
      await touch(query, model, this.now());
    });
  }

  async setAlias(model: string, alias: string, version: number): Promise<Model> {
    const violations = new Violations();
    violations.check(Number.isSafeInteger(version) && version >= 1, 'version', 'an integer from 1', version);
    violations.throwIfAny();
    return this.#change(model, async (query) => {
      const { aliases } = await requireVersion(query, model, version);
      if (!aliases.includes(alias)) {
        await pointAlias(query, { model, alias, version });
        await touch(query, model, this.now());
      }
      return requireModel(query, model);
    });
  }

  async deleteAlias(model: string, alias: string): Promise<Model> {
    return this.#change(model, async (query) => {
      await requireAlias(query, model, alias);
      await query.deleteFrom('aliases').where('model', '=', model).where('alias', '=', alias).execute();
      await touch(query, model, this.now());
      return requireModel(query, model);
    });
  }

  async getDeployment(model: string): Promise<StoredDeployment> {
    return (await this.getModel(model)).deployment;
  }

  /** Takes the fields that `paths` names from `given`. Refused when the result is nothing that could be served. */
  async updateDeployment(model: string, given: Deployment, paths: readonly string[]): Promise<StoredDeployment> {
    return this.#change(model, async (query) => {
      const { deployment: before } = await requireModel(query, model);
      const violations = new Violations();
      const after = applyMask<Deployment>(before, given, paths, deploymentFields, violations);
      checkDeployment(after, violations);
      await checkTargets(query, model, before, after, violations);
      violations.throwIfAny();
      const stored = { ...after, model, updateTimeMs: this.now() };
      await writeDeployment(query, stored);
      return stored;
    });
  }

  /** Several queries that see one state. */
  #read<T>(work: (query: Query) => Promise<T>): Promise<T> {
    return this.database.transaction().execute(work);
  }

  async #change<T>(model: string, work: (query: Query) => Promise<T>): Promise<T> {
    const result = await this.database.transaction().execute(work);
    for (const listener of this.#listeners) {
      listener(model);
    }
    return result;
  }

  /** Adds sizes; refuses artifacts whose blobs have not been uploaded. Sorted by path. */
  async #locate(artifacts: NewModelVersion['artifacts']): Promise<Artifact[]> {
    const located: Artifact[] = [];
    const missing: string[] = [];
    for (const { path, digest } of artifacts) {
      const sizeBytes = await this.blobs.sizeOf(digest);
      if (sizeBytes === null) {
        missing.push(`${path} (${digest})`);
      } else {
        located.push({ path, digest, sizeBytes });
      }
    }
    if (missing.length > 0) {
      const message = `Expected every artifact's blob to be there but these are missing: ${missing.join(', ')}. Upload them first.`;
      throw new ServiceError('FAILED_PRECONDITION', 'BLOB_MISSING', message);
    }
    return located.sort((a, b) => (a.path < b.path ? -1 : 1));
  }
}

const nameOf = (model: string, version: number) => `models/${model}/versions/${version}`;

function notFound(id: string): never {
  throw new ServiceError('NOT_FOUND', 'MODEL_NOT_FOUND', `There is no model models/${id}.`);
}

async function selectModel(query: Query, id: string): Promise<Model | null> {
  const rows = await query.selectFrom('models').selectAll().where('id', '=', id).execute();
  return (await complete(query, rows))[0] ?? null;
}

async function requireModel(query: Query, id: string): Promise<Model> {
  return (await selectModel(query, id)) ?? notFound(id);
}

/** Adds to rows of models what other tables hold. */
async function complete(query: Query, rows: Selectable<Schema['models']>[]): Promise<Model[]> {
  const ids = rows.map(({ id }) => id);
  if (ids.length === 0) {
    return [];
  }
  const deployments = await selectDeployments(query, ids);
  const models = new Map<string, Model>(
    rows.map((row) => [row.id, { ...row, latestVersion: 0, aliases: {}, deployment: deployments.get(row.id)! }]),
  );
  const newest = await query
    .selectFrom('modelVersions')
    .select(['model', (of) => of.fn.max('version').as('version')])
    .where('model', 'in', ids)
    .groupBy('model')
    .execute();
  for (const { model, version } of newest) {
    models.get(model)!.latestVersion = Number(version);
  }
  const aliases = await query.selectFrom('aliases').selectAll().where('model', 'in', ids).orderBy('alias').execute();
  for (const { model, alias, version } of aliases) {
    models.get(model)!.aliases[alias] = version;
  }
  return [...models.values()];
}

async function requireVersion(query: Query, model: string, version: number): Promise<ModelVersion> {
  const rows = await query
    .selectFrom('modelVersions')
    .selectAll()
    .where('model', '=', model)
    .where('version', '=', version)
    .execute();
  const [found] = await completeVersions(query, model, rows);
  if (!found) {
    await requireModel(query, model);
    throw new ServiceError('NOT_FOUND', 'VERSION_NOT_FOUND', `There is no version ${nameOf(model, version)}.`);
  }
  return found;
}

async function completeVersions(query: Query, model: string, rows: VersionRow[]): Promise<ModelVersion[]> {
  const versions = new Map(rows.map((row) => [row.version, toVersion(row)]));
  const numbers = [...versions.keys()];
  if (numbers.length === 0) {
    return [];
  }
  const artifacts = await query
    .selectFrom('artifacts')
    .selectAll()
    .where('model', '=', model)
    .where('version', 'in', numbers)
    .orderBy('path')
    .execute();
  for (const { version, path, digest, sizeBytes } of artifacts) {
    versions.get(version)!.artifacts.push({ path, digest, sizeBytes });
  }
  const aliases = await query
    .selectFrom('aliases')
    .selectAll()
    .where('model', '=', model)
    .where('version', 'in', numbers)
    .orderBy('alias')
    .execute();
  for (const { version, alias } of aliases) {
    versions.get(version)!.aliases.push(alias);
  }
  return [...versions.values()];
}

function toVersion({ model, version, digest, lineage, metrics, promotion, createTimeMs }: VersionRow): ModelVersion {
  return {
    model,
    version,
    digest,
    lineage: lineage === null ? null : (JSON.parse(lineage) as Lineage),
    metrics: JSON.parse(metrics) as Record<string, number>,
    promotion: promotion === null ? null : (JSON.parse(promotion) as Promotion),
    createTimeMs,
    artifacts: [],
    aliases: [],
  };
}

async function selectRequested(query: Query, model: string, requestId: string): Promise<VersionRow | undefined> {
  if (requestId === '') {
    return undefined;
  }
  return query
    .selectFrom('modelVersions')
    .selectAll()
    .where('model', '=', model)
    .where('requestId', '=', requestId)
    .executeTakeFirst();
}

/** The version that an earlier call with the same request id has made. Its aliases may have moved on and stay as they are. */
function repeat(query: Query, made: VersionRow, digest: string): Promise<ModelVersion> {
  if (made.digest !== digest) {
    const message = `The request id ${made.requestId} has made ${nameOf(made.model, made.version)} from other artifacts. Use another request id.`;
    throw new ServiceError('ALREADY_EXISTS', 'REQUEST_ID_USED', message);
  }
  return requireVersion(query, made.model, made.version);
}

/** The next number of a model's versions; taken back if the transaction fails, so that there are no gaps. */
async function takeNumber(query: Query, model: string): Promise<number> {
  const { last } = await query
    .insertInto('versionNumbers')
    .values({ model, last: 1 })
    .onConflict((conflict) =>
      conflict.column('model').doUpdateSet((of) => ({ last: of('versionNumbers.last', '+', 1) })),
    )
    .returning('last')
    .executeTakeFirstOrThrow();
  return last;
}

async function pointAlias(query: Query, row: Insertable<Schema['aliases']>): Promise<void> {
  await query
    .insertInto('aliases')
    .values(row)
    .onConflict((conflict) => conflict.columns(['model', 'alias']).doUpdateSet({ version: row.version }))
    .execute();
}

async function requireAlias(query: Query, model: string, alias: string): Promise<number> {
  const row = await query
    .selectFrom('aliases')
    .select('version')
    .where('model', '=', model)
    .where('alias', '=', alias)
    .executeTakeFirst();
  if (!row) {
    await requireModel(query, model);
    throw new ServiceError('NOT_FOUND', 'ALIAS_NOT_FOUND', `There is no alias models/${model}/aliases/${alias}.`);
  }
  return row.version;
}

async function touch(query: Query, model: string, updateTimeMs: number): Promise<void> {
  await query.updateTable('models').set({ updateTimeMs }).where('id', '=', model).execute();
}
