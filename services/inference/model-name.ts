import { ResourceName } from '../platform/resource-name.js';

const modelName = new ResourceName('models/{model}');
const aliasName = new ResourceName('models/{model}/aliases/{alias}');
export const versionName = new ResourceName('models/{model}/versions/{version}');

/** What a model may be named by, for messages. */
export const modelNameForms = [modelName, versionName, aliasName].map(({ pattern }) => pattern).join(', ');

/** A model, and what is asked of it: nothing, a number or an alias. */
export interface AskedModel {
  model: string;
  asked: string;
}

/** Null: `name` has none of the forms. */
export function matchModelName(name: string): AskedModel | null {
  const versioned = versionName.match(name);
  const aliased = aliasName.match(name);
  const model = (modelName.match(name) ?? versioned ?? aliased)?.model;
  return model === undefined ? null : { model, asked: versioned?.version ?? aliased?.alias ?? '' };
}
