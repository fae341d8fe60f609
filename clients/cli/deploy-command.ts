import type { Deployment__Output as Deployment } from '../../proto/gen/millrace/v1/Deployment.js';
import type { DeploymentChange, Millrace } from '../sdk/index.js';
import { CommandError, type CommonOptions, show } from './output.js';
import { idOf } from './resource-name.js';

/** Settings of `millrace models deploy`; what is not given stays as it is. */
export interface DeployOptions extends CommonOptions {
  traffic?: string[];
  shadow?: string;
  rowsMax?: number;
  preferredRows?: number[];
  queueDelayUs?: number;
  queueRequestsMax?: number;
  priorityLevels?: number;
  defaultPriority?: number;
  timeoutUs?: number;
  timeoutOverride?: boolean;
  cacheBytes?: number;
}

const int32Max = 2 ** 31 - 1;

export async function modelsDeploy(millrace: Millrace, name: string, options: DeployOptions): Promise<void> {
  const change = toChange(options);
  if (Object.values({ ...change, ...change.batching, batching: undefined }).every((value) => value === undefined)) {
    throw new CommandError('Nothing to change. Say what: millrace models deploy --help lists the settings.');
  }
  const deployment = await millrace.deployModel(name, change);
  const model = deployment.name.slice(0, deployment.name.lastIndexOf('/'));
  show(
    options,
    deployment,
    [deployment.name, ...describeDeployment(deployment)],
    `millrace models describe ${idOf(model)}`,
  );
}

function toChange(options: DeployOptions): DeploymentChange {
  return {
    traffic: options.traffic && toTraffic(options.traffic),
    shadow: options.shadow === undefined ? undefined : toShadow(options.shadow),
    batching: {
      rowsMax: options.rowsMax,
      preferredRows: options.preferredRows,
      queueDelayUsMax: options.queueDelayUs,
      queueRequestsMax: options.queueRequestsMax,
      priorityLevels: options.priorityLevels,
      defaultPriority: options.defaultPriority,
      timeoutUs: options.timeoutUs,
      timeoutOverride: options.timeoutOverride,
    } as NonNullable<DeploymentChange['batching']>,
    responseCacheBytes: options.cacheBytes,
  };
}

function toTraffic(entries: readonly string[]) {
  return entries.length === 1 && entries[0] === 'none'
    ? []
    : entries.map((entry) => {
        const { target, number } = readPair(entry, '--traffic', 'champion=90');
        // The contract's integers would lose the rest without a word.
        if (!Number.isInteger(number) || number > int32Max) {
          throw new CommandError(
            `Expected --traffic to have an integer as weight but received ${JSON.stringify(entry)}.`,
          );
        }
        return { target, weight: number };
      });
}

function toShadow(entry: string) {
  if (entry === 'none') {
    return null;
  }
  const { target, number } = readPair(entry, '--shadow', 'candidate=0.2');
  return { target, fraction: number };
}

function readPair(entry: string, option: string, example: string): { target: string; number: number } {
  const [, target, number] = /^([^=]+)=(\d+(?:\.\d+)?)$/.exec(entry) ?? [];
  if (target === undefined) {
    throw new CommandError(`Expected ${option} to be like ${example}, or none, but received ${JSON.stringify(entry)}.`);
  }
  return { target, number: Number(number) };
}

/** A line for everything that is not as it is without a deployment. */
export function describeDeployment({ traffic, shadow, batching, responseCacheBytes }: Deployment): string[] {
  const weights = traffic.reduce((sum, { weight }) => sum + weight, 0);
  const shares = traffic.map(({ target, weight }) => `${target} ${percent(weight / weights)}`);
  const settings = batching ? describeBatching(batching) : [];
  return [
    ...(shares.length > 0 ? [`traffic: ${shares.join(', ')}`] : []),
    ...(shadow ? [`shadow: ${shadow.target}, ${percent(shadow.fraction)} of the requests`] : []),
    ...(settings.length > 0 ? [`batching: ${settings.join(', ')}`] : []),
    ...(responseCacheBytes > 0 ? [`cache: ${responseCacheBytes} bytes`] : []),
  ];
}

function describeBatching(batching: NonNullable<Deployment['batching']>): string[] {
  const { rowsMax, preferredRows, queueDelayUsMax, queueRequestsMax, priorityLevels, defaultPriority } = batching;
  const { timeoutUs, timeoutOverride = true } = batching;
  const lines: [boolean, string][] = [
    [rowsMax > 0, `at most ${rowsMax} rows`],
    [preferredRows.length > 0, `preferred ${preferredRows.join(' or ')} rows`],
    [queueDelayUsMax > 0, `waits ${queueDelayUsMax} us`],
    [queueRequestsMax > 0, `at most ${queueRequestsMax} requests wait`],
    [priorityLevels > 0, `${priorityLevels} priorities, ${defaultPriority} by default`],
    [timeoutUs > 0, `timeout ${timeoutUs} us`],
    [!timeoutOverride, 'no timeouts of requests'],
  ];
  return lines.flatMap(([isSet, line]) => (isSet ? [line] : []));
}

const percent = (share: number) => `${Number((share * 100).toPrecision(3))} %`;
