import { z } from 'zod';
import { optionsOf } from './calls.js';
import type { InferenceClient } from './oip-routes.js';
import { parameters } from './parameters-rpc.js';
import { toRepositoryParameters } from './repository-rpc.js';
import { checkBody, type Route } from './routes.js';

const indexRequest = z.strictObject({ ready: z.boolean().default(false) });
const index = z.array(z.object({ name: z.string(), version: z.string(), state: z.string(), reason: z.string() }));
const change = z.strictObject({ parameters });

/** Triton's extension of the model repository. */
export function repositoryRoutes(inference: InferenceClient, loadTimeoutMs: number): Route[] {
  return [
    {
      method: 'POST',
      path: '/v2/repository/index',
      operation: 'repositoryIndex',
      summary: 'Models and their versions, loaded or not.',
      takes: indexRequest,
      gives: index,
      async handle(call) {
        const { ready } = checkBody(indexRequest, call.body);
        const { models } = await inference.repositoryIndex({ ready }, optionsOf(call));
        return models.map(({ name, version, state, reason }) => ({ name, version, state, reason }));
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/{model}/load',
      operation: 'repositoryModelLoad',
      summary:
        'Loads a model, or loads it anew. `config` is a ModelConfig as JSON text; `file:VERSION/NAME` a file in base64.',
      takes: change,
      gives: null,
      async handle(call) {
        const { parameters } = checkBody(change, call.body);
        const request = { modelName: call.params.model!, parameters: toRepositoryParameters(parameters) };
        await inference.repositoryModelLoad(request, { ...optionsOf(call), timeoutMs: loadTimeoutMs });
      },
    },
    {
      method: 'POST',
      path: '/v2/repository/models/{model}/unload',
      operation: 'repositoryModelUnload',
      summary: 'Stops serving a model.',
      takes: change,
      gives: null,
      async handle(call) {
        const { parameters } = checkBody(change, call.body);
        const request = { modelName: call.params.model!, parameters: toRepositoryParameters(parameters) };
        await inference.repositoryModelUnload(request, optionsOf(call));
      },
    },
  ];
}
