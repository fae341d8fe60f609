import type { CreateModelVersionRequest__Output } from '../../proto/gen/millrace/v1/CreateModelVersionRequest.js';
import type { Lineage__Output } from '../../proto/gen/millrace/v1/Lineage.js';
import type { Model as ModelMessage } from '../../proto/gen/millrace/v1/Model.js';
import type { ModelVersion as ModelVersionMessage } from '../../proto/gen/millrace/v1/ModelVersion.js';
import type { TrainingSpec } from '../../proto/gen/millrace/v1/TrainingSpec.js';
import type { UploadBlobRequest__Output } from '../../proto/gen/millrace/v1/UploadBlobRequest.js';
import type { WatchModelsResponse } from '../../proto/gen/millrace/v1/WatchModelsResponse.js';
import { contracts, toTimestamp } from '../../proto/index.js';
import type { BlobStore } from '../platform/blob-store.js';
import { ServiceError } from '../platform/errors.js';
import { type ImplementedContract, implement } from '../platform/handler.js';
import { decodePageToken, pageSize, toPage } from '../platform/page-token.js';
import { checkId } from '../platform/resource-name.js';
import { checkDigest, findBlob, receiveBlob } from './blob-transfer.js';
import { deploymentName } from './deployment.js';
import { fromUpdateRequest, toDeployment } from './deployment-rpc.js';
import {
  type Lineage,
  type Model,
  type ModelVersion,
  modelAliasName,
  modelName,
  modelVersionName,
  type NewModelVersion,
} from './model.js';
import type { ModelStore } from './model-store.js';
import { type ModelEvent, watchModels } from './model-watch.js';
import { fromCondition, toPromotion } from './promotion-rpc.js';

/** `millrace.v1.RegistryService` on a store. */
export function registryService(store: ModelStore, blobs: BlobStore): ImplementedContract {
  return implement(contracts.registry, {
    async CreateModel({ modelId }) {
      checkId(modelId, 'model_id');
      return toModel(await store.createModel(modelId));
    },
    async GetModel({ name }) {
      return toModel(await store.getModel(modelName.parse(name, 'name').model));
    },
    async ListModels({ pageSize: requested, pageToken }) {
      const size = pageSize(requested);
      const rows = await store.listModels(size + 1, decodePageToken(pageToken, 'string'));
      const [models, nextPageToken] = toPage(rows, size, ({ id }) => id);
      return { models: models.map(toModel), nextPageToken };
    },
    async DeleteModel({ name }) {
      await store.deleteModel(modelName.parse(name, 'name').model);
      return {};
    },
    async CreateModelVersion(request) {
      const { model } = modelName.parse(request.parent, 'parent');
      return toModelVersion(await store.createVersion(model, fromCreateRequest(request)));
    },
    async GetModelVersion({ name }) {
      const aliased = modelAliasName.match(name);
      if (aliased) {
        return toModelVersion(await store.resolveAlias(aliased.model, aliased.alias));
      }
      const { model, version } = modelVersionName.parse(name, 'name');
      return toModelVersion(await store.getVersion(model, Number(version)));
    },
    async ListModelVersions({ parent, pageSize: requested, pageToken }) {
      const { model } = modelName.parse(parent, 'parent');
      const size = pageSize(requested);
      const rows = await store.listVersions(model, size + 1, decodePageToken(pageToken, 'number'));
      const [versions, nextPageToken] = toPage(rows, size, ({ version }) => version);
      return { modelVersions: versions.map(toModelVersion), nextPageToken };
    },
    async DeleteModelVersion({ name }) {
      const { model, version } = modelVersionName.parse(name, 'name');
      await store.deleteVersion(model, Number(version));
      return {};
    },
    async SetModelAlias({ name, alias, version }) {
      const { model } = modelName.parse(name, 'name');
      checkId(alias, 'alias');
      return toModel(await store.setAlias(model, alias, version));
    },
    async DeleteModelAlias({ name, alias }) {
      const { model } = modelName.parse(name, 'name');
      checkId(alias, 'alias');
      return toModel(await store.deleteAlias(model, alias));
    },
    async GetDeployment({ name }) {
      return toDeployment(await store.getDeployment(deploymentName.parse(name, 'name').model));
    },
    async UpdateDeployment(request) {
      const { model, deployment, paths } = fromUpdateRequest(request);
      return toDeployment(await store.updateDeployment(model, deployment, paths));
    },
    async UploadBlob(requests) {
      return receiveBlob(blobs, fromUpload(requests));
    },
    async GetBlob({ digest }) {
      checkDigest(digest, 'digest');
      return findBlob(blobs, digest);
    },
    async *DownloadBlob({ digest }) {
      checkDigest(digest, 'digest');
      await findBlob(blobs, digest);
      for await (const chunk of blobs.read(digest)) {
        yield { chunk };
      }
    },
    async *WatchModels(_request, { signal, stopping }) {
      for await (const event of watchModels(store, AbortSignal.any([signal, stopping]))) {
        yield toWatchResponse(event);
      }
      if (!signal.aborted) {
        throw new ServiceError('UNAVAILABLE', 'STOPPING', 'The registry is stopping. Watch again once it is back.');
      }
    },
  });
}

function toModel({ id, createTimeMs, updateTimeMs, latestVersion, aliases }: Model): ModelMessage {
  return {
    name: modelName.format({ model: id }),
    createTime: toTimestamp(createTimeMs),
    updateTime: toTimestamp(updateTimeMs),
    latestVersion,
    aliases,
  };
}

function toModelVersion(version: ModelVersion): ModelVersionMessage {
  const { artifacts, lineage, metrics, aliases, digest, promotion } = version;
  return {
    name: modelVersionName.format({ model: version.model, version: String(version.version) }),
    artifacts,
    lineage: lineage && { ...lineage, spec: lineage.spec as TrainingSpec | null },
    metrics,
    aliases,
    createTime: toTimestamp(version.createTimeMs),
    digest,
    promotion: promotion && toPromotion(promotion),
  };
}

function fromCreateRequest(request: CreateModelVersionRequest__Output): NewModelVersion {
  const { modelVersion, aliases, requestId, promotionCondition } = request;
  return {
    artifacts: (modelVersion?.artifacts ?? []).map(({ path, digest }) => ({ path, digest })),
    lineage: modelVersion?.lineage ? fromLineage(modelVersion.lineage) : null,
    metrics: modelVersion?.metrics ?? {},
    aliases,
    condition: promotionCondition && fromCondition(promotionCondition),
    requestId,
  };
}

function fromLineage(lineage: Lineage__Output): Lineage {
  const { trainingJob, datasetVersion, datasetDigest, pipelineDigest, spec, engineVersion, instructionSet } = lineage;
  return { trainingJob, datasetVersion, datasetDigest, pipelineDigest, spec, engineVersion, instructionSet };
}

async function* fromUpload(requests: AsyncIterable<UploadBlobRequest__Output>) {
  for await (const { part, blob, chunk } of requests) {
    yield part === 'blob' ? { announced: blob! } : { chunk: chunk ?? null };
  }
}

function toWatchResponse(event: ModelEvent): WatchModelsResponse {
  switch (event.kind) {
    case 'model':
      return { model: toModel(event.model), deployment: toDeployment(event.model.deployment) };
    case 'deleted':
      return { deletedModel: modelName.format({ model: event.id }) };
    case 'synced':
      return { synced: {} };
  }
}
