import { beforeEach, describe, expect, it } from 'vitest';
import { ModelRepository } from '../../../services/inference/model-repository.js';
import { type Deployment, defaultDeployment } from '../../../services/inference/registry.js';
import { sumVersion } from './fake-version.js';

let repository: ModelRepository;

beforeEach(() => {
  repository = new ModelRepository(() => 0);
});

/** Versions 1 and 2 in memory, of which `routes` names those that answer, by their numbers. */
function serve(routes: Record<string, number>, deployment: Partial<Deployment>): void {
  for (const number of [1, 2]) {
    repository.add(number, sumVersion(number).version);
  }
  repository.route({
    name: 'sums',
    routes: new Map(Object.entries(routes)),
    aliases: new Map(),
    versions: [],
    deployment: { ...defaultDeployment, ...deployment },
    unloaded: false,
  });
}

const split = (weights: Record<string, number>) =>
  Object.entries(weights).map(([target, weight]) => ({ target, weight }));
const choose = (key = '', asked = '') => repository.choose('sums', asked, () => key).number;
const chosen = () => [...new Set(Array.from({ length: 100 }, () => choose()))].sort();

describe('ModelRepository', () => {
  it('refuses when no target can answer and there is no champion, though there are other versions', () => {
    serve({ '': 2, 1: 1, 2: 2 }, { traffic: split({ gone: 1 }) });
    expect(() => choose()).toThrow(expect.objectContaining({ code: 'UNAVAILABLE' }));
    expect(choose('', '1')).toBe(1);
  });

  it('falls back to the champion when no target can answer', () => {
    serve({ '': 1, champion: 1, 1: 1, 2: 2 }, { traffic: split({ gone: 1, 7: 5 }) });
    expect(chosen()).toEqual([1]);
  });

  it('asks for a key only where traffic is split and no version is asked for', () => {
    serve({ '': 1, champion: 1, 1: 1 }, {});
    const never = () => {
      throw new Error('nobody needs a key');
    };
    expect(repository.choose('sums', '', never).number).toBe(1);
    serve({ '': 1, champion: 1, 1: 1, 2: 2 }, { traffic: split({ champion: 1, 2: 1 }) });
    expect(repository.choose('sums', '2', never).number).toBe(2);
  });

  it('splits, keeps keys together, and goes on where it was after a change', () => {
    const traffic = split({ champion: 1, 2: 1 });
    serve({ '': 1, champion: 1, 1: 1, 2: 2 }, { traffic });
    expect(chosen()).toEqual([1, 2]);
    expect(new Set(Array.from({ length: 10 }, () => choose('user-1'))).size).toBe(1);
    // Begun anew with every change, a change for every request would choose the same version each time.
    const choices = new Set(
      Array.from({ length: 20 }, () => {
        serve({ '': 1, champion: 1, 1: 1, 2: 2 }, { traffic });
        return choose();
      }),
    );
    expect(choices.size).toBe(2);
  });

  it('describes the heaviest target where no version is asked for', () => {
    serve({ '': 1, champion: 1, 1: 1, 2: 2 }, { traffic: split({ champion: 1, 2: 9 }) });
    expect(repository.resolve('sums', '').number).toBe(2);
  });

  it('shadows requests that ask for no version, while the shadow can answer', () => {
    serve({ '': 1, champion: 1, 1: 1, 2: 2 }, { shadow: { target: '2', fraction: 1 } });
    expect(repository.get('sums')!.shadowOf('')!.version.number).toBe(2);
    expect(repository.get('sums')!.shadowOf('champion')).toBeNull();
    repository.release(2);
    expect(repository.get('sums')!.shadowOf('')).toBeNull();
  });
});
