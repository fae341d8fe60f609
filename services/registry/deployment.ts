import type { Violations } from '../platform/errors.js';
import type { MaskFields } from '../platform/field-mask.js';
import { isId, ResourceName } from '../platform/resource-name.js';

export const deploymentName = new ResourceName('models/{model}/deployment');

/** How a model is served. The registry keeps it; inference does it. */
export interface Deployment {
  /** Empty: the alias champion answers, or the newest version. */
  traffic: TrafficTarget[];
  shadow: ShadowTarget | null;
  batching: BatchingSettings;
  /** 0: none. */
  responseCacheBytes: number;
}

export interface TrafficTarget {
  /** Number of a version, or an alias. */
  target: string;
  weight: number;
}

export interface ShadowTarget {
  target: string;
  /** Share of the requests, above 0 and at most 1. */
  fraction: number;
}

/** What each means, its unit and its default: see the contract. */
export interface BatchingSettings {
  rowsMax: number;
  preferredRows: number[];
  queueDelayUsMax: number;
  queueRequestsMax: number;
  priorityLevels: number;
  defaultPriority: number;
  timeoutUs: number;
  timeoutOverride: boolean;
}

/** A deployment as it is kept. */
export interface StoredDeployment extends Deployment {
  model: string;
  /** Null: never changed. */
  updateTimeMs: number | null;
}

export function defaultDeployment(): Deployment {
  return {
    traffic: [],
    shadow: null,
    batching: {
      rowsMax: 0,
      preferredRows: [],
      queueDelayUsMax: 0,
      queueRequestsMax: 0,
      priorityLevels: 0,
      defaultPriority: 0,
      timeoutUs: 0,
      timeoutOverride: true,
    },
    responseCacheBytes: 0,
  };
}

/** What an update may name. The shadow is changed as a whole: a fraction of nothing means nothing. */
export const deploymentFields: MaskFields = {
  traffic: true,
  shadow: true,
  batching: {
    rowsMax: true,
    preferredRows: true,
    queueDelayUsMax: true,
    queueRequestsMax: true,
    priorityLevels: true,
    defaultPriority: true,
    timeoutUs: true,
    timeoutOverride: true,
  },
  responseCacheBytes: true,
};

const trafficTargetsMax = 32;
const weightMax = 10_000;
const preferredRowsMax = 32;
const rowsMost = 10_000_000;
const queueDelayUsMost = 10_000_000;
const queueRequestsMost = 100_000;
const priorityLevelsMax = 32;
const timeoutUsMax = 3_600_000_000;
const responseCacheBytesMax = 1024 ** 4;

/** What a target may look like; whether it is there is for the store to say. */
export const isTarget = (target: string): boolean => isId(target) || /^[1-9]\d{0,14}$/.test(target);

const targetRule = 'the number of a version, or an alias (1 to 63 of a-z, 0-9 and -, starting with a letter)';

/** Notes everything that no model could be served with. */
export function checkDeployment(deployment: Deployment, violations: Violations): void {
  checkTraffic(deployment.traffic, violations);
  if (deployment.shadow) {
    const { target, fraction } = deployment.shadow;
    violations.check(isTarget(target), 'deployment.shadow.target', targetRule, target);
    const isShare = fraction > 0 && fraction <= 1;
    violations.check(isShare, 'deployment.shadow.fraction', 'a number above 0 and at most 1', fraction);
  }
  checkBatching(deployment.batching, violations);
  checkInteger(deployment.responseCacheBytes, 'response_cache_bytes', 0, responseCacheBytesMax, violations);
}

function checkTraffic(traffic: readonly TrafficTarget[], violations: Violations): void {
  const count = traffic.length;
  const rule = `at most ${trafficTargetsMax} targets`;
  if (!violations.check(count <= trafficTargetsMax, 'deployment.traffic', rule, count)) {
    return;
  }
  const seen = new Set<string>();
  for (const [i, { target, weight }] of traffic.entries()) {
    const field = `deployment.traffic[${i}].target`;
    if (violations.check(isTarget(target), field, targetRule, target)) {
      violations.check(!seen.has(target), field, 'a target that no other entry has', target);
    }
    seen.add(target);
    checkInteger(weight, `traffic[${i}].weight`, 1, weightMax, violations);
  }
}

function checkBatching(batching: BatchingSettings, violations: Violations): void {
  const { rowsMax, preferredRows, priorityLevels, defaultPriority } = batching;
  checkInteger(rowsMax, 'batching.rows_max', 0, rowsMost, violations);
  const rule = `at most ${preferredRowsMax} numbers`;
  if (
    violations.check(
      preferredRows.length <= preferredRowsMax,
      'deployment.batching.preferred_rows',
      rule,
      preferredRows.length,
    )
  ) {
    for (const [i, rows] of preferredRows.entries()) {
      const least = i === 0 ? 1 : preferredRows[i - 1]! + 1;
      const most = rowsMax > 0 ? rowsMax : rowsMost;
      const field = `deployment.batching.preferred_rows[${i}]`;
      const fits = Number.isSafeInteger(rows) && rows >= least && rows <= most;
      violations.check(fits, field, `above the one before, from 1 to ${most}`, rows);
    }
  }
  checkInteger(batching.queueDelayUsMax, 'batching.queue_delay_us_max', 0, queueDelayUsMost, violations);
  checkInteger(batching.queueRequestsMax, 'batching.queue_requests_max', 0, queueRequestsMost, violations);
  if (checkInteger(priorityLevels, 'batching.priority_levels', 0, priorityLevelsMax, violations)) {
    const least = priorityLevels > 0 ? 1 : 0;
    checkInteger(defaultPriority, 'batching.default_priority', least, priorityLevels, violations);
  }
  checkInteger(batching.timeoutUs, 'batching.timeout_us', 0, timeoutUsMax, violations);
}

function checkInteger(value: number, path: string, least: number, most: number, violations: Violations): boolean {
  const fits = Number.isSafeInteger(value) && value >= least && value <= most;
  const rule = least === most ? `${least}` : `an integer from ${least} to ${most}`;
  return violations.check(fits, `deployment.${path}`, rule, value);
}
