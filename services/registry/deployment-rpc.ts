import type { BatchingSettings__Output as BatchingInput } from '../../proto/gen/millrace/v1/BatchingSettings.js';
import type {
  Deployment__Output as DeploymentInput,
  Deployment as DeploymentMessage,
} from '../../proto/gen/millrace/v1/Deployment.js';
import type { UpdateDeploymentRequest__Output } from '../../proto/gen/millrace/v1/UpdateDeploymentRequest.js';
import { toTimestamp } from '../../proto/index.js';
import {
  type BatchingSettings,
  type Deployment,
  defaultDeployment,
  deploymentName,
  type StoredDeployment,
} from './deployment.js';

export interface DeploymentUpdate {
  model: string;
  deployment: Deployment;
  /** Fields to change. */
  paths: string[];
}

export function toDeployment({ model, updateTimeMs, ...settings }: StoredDeployment): DeploymentMessage {
  return {
    name: deploymentName.format({ model }),
    ...settings,
    updateTime: updateTimeMs === null ? null : toTimestamp(updateTimeMs),
  };
}

export function fromUpdateRequest({ deployment, updateMask }: UpdateDeploymentRequest__Output): DeploymentUpdate {
  const { model } = deploymentName.parse(deployment?.name ?? '', 'deployment.name');
  const named = updateMask?.paths ?? [];
  // Fields that only the registry sets are passed over, not refused (AIP-203): a caller may send back what it got.
  const paths = named.filter((path) => path !== 'name' && path !== 'update_time');
  return { model, deployment: fromDeployment(deployment!), paths: named.length > 0 ? paths : setFields(deployment!) };
}

function fromDeployment({ traffic, shadow, batching, responseCacheBytes }: DeploymentInput): Deployment {
  return {
    traffic: traffic.map(({ target, weight }) => ({ target, weight })),
    shadow: shadow && { target: shadow.target, fraction: shadow.fraction },
    batching: batching ? fromBatching(batching) : defaultDeployment().batching,
    responseCacheBytes,
  };
}

function fromBatching(batching: BatchingInput): BatchingSettings {
  const { rowsMax, preferredRows, queueDelayUsMax, queueRequestsMax, priorityLevels, defaultPriority } = batching;
  const { timeoutUs, timeoutOverride = defaultDeployment().batching.timeoutOverride } = batching;
  return {
    rowsMax,
    preferredRows,
    queueDelayUsMax,
    queueRequestsMax,
    priorityLevels,
    defaultPriority,
    timeoutUs,
    timeoutOverride,
  };
}

/** What an update without a mask changes. */
function setFields({ traffic, shadow, batching, responseCacheBytes }: DeploymentInput): string[] {
  return [
    ...(traffic.length > 0 ? ['traffic'] : []),
    ...(shadow ? ['shadow'] : []),
    ...(batching ? ['batching'] : []),
    ...(responseCacheBytes !== 0 ? ['response_cache_bytes'] : []),
  ];
}
