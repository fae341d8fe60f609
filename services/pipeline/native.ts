import type * as Native from '../../native/index.js';

let loading: Promise<typeof Native> | null = null;

/** The engine, loaded when it is first needed: a service at rest does without it. */
export function loadNative(): Promise<typeof Native> {
  loading ??= import('../../native/index.js');
  return loading;
}
