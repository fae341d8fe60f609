import type { BatchingSettings } from '../../proto/gen/millrace/v1/BatchingSettings.js';
import type { ShadowTarget } from '../../proto/gen/millrace/v1/ShadowTarget.js';
import type { TrafficTarget } from '../../proto/gen/millrace/v1/TrafficTarget.js';
import type { UpdateDeploymentRequest } from '../../proto/gen/millrace/v1/UpdateDeploymentRequest.js';

/** What to change of how a model is served. What is left out, or undefined, stays as it is. */
export interface DeploymentChange {
  /** Replaces all targets; none: the alias champion answers, or the newest version. */
  traffic?: TrafficTarget[] | undefined;
  /** Null: no shadow any more. */
  shadow?: ShadowTarget | null | undefined;
  batching?: BatchingSettings | undefined;
  /** 0: no cache any more. */
  responseCacheBytes?: number | undefined;
}

/**
 * The request that makes a change and nothing else.
 *
 * @param name `mnist`, or `models/mnist`
 */
export function deploymentUpdate(name: string, { batching, ...change }: DeploymentChange): UpdateDeploymentRequest {
  const model = name.startsWith('models/') ? name : `models/${name}`;
  const paths = [...setFields(change), ...setFields(batching ?? {}).map((path) => `batching.${path}`)];
  return { deployment: { name: `${model}/deployment`, ...change, batching: batching ?? null }, updateMask: { paths } };
}

function setFields(message: object): string[] {
  return Object.entries(message)
    .filter(([, value]) => value !== undefined)
    .map(([name]) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`));
}
