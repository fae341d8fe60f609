import { afterEach, describe, expect, it } from 'vitest';
import { Millrace } from '../../../clients/sdk/index.js';
import { untilServed } from '../../../clients/sdk/served.js';
import type { TrainingEvent__Output as TrainingEvent } from '../../../proto/gen/millrace/v1/TrainingEvent.js';
import { RpcError } from '../../../proto/index.js';

const event = (sequence: number) => ({ sequence }) as TrainingEvent;
const away = () => new RpcError('UNAVAILABLE', 'away', { reason: '', fieldViolations: [] });

describe('followTrainingJob', () => {
  const millrace = new Millrace();
  afterEach(() => millrace.close());

  /** Has each call of the watch answer with the next of `streams`; gives the positions that were asked for. */
  function answerWith(...streams: (number | RpcError)[][]): number[] {
    const asked: number[] = [];
    millrace.training.watchTrainingJob = async function* ({ afterSequence }) {
      asked.push(Number(afterSequence));
      for (const item of streams.shift() ?? []) {
        if (item instanceof RpcError) {
          throw item;
        }
        yield event(item);
      }
    };
    return asked;
  }

  async function follow(after = 0): Promise<number[]> {
    const seen: number[] = [];
    for await (const { sequence } of millrace.followTrainingJob('trainingJobs/a', { after })) {
      seen.push(sequence);
    }
    return seen;
  }

  it('throws what will not be better later', async () => {
    answerWith([new RpcError('NOT_FOUND', 'no such job', { reason: '', fieldViolations: [] })]);
    await expect(follow()).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  it('ends at once behind the last event of a job that has ended', async () => {
    const asked = answerWith([]);
    expect(await follow(7)).toEqual([]);
    expect(asked).toEqual([7]);
  });

  it('goes on where the connection broke', async () => {
    const asked = answerWith([1, 2, away()], [3]);
    expect(await follow()).toEqual([1, 2, 3]);
    expect(asked).toEqual([0, 2]);
  });
});

describe('followTrainingJobs', () => {
  const millrace = new Millrace();
  afterEach(() => millrace.close());

  it('begins now when asked to, and goes on after the last position however often the connection breaks', async () => {
    const asked: unknown[] = [];
    const streams = [[away()], [12, 15, away()], [16]];
    millrace.training.listTrainingJobs = async () => ({ trainingJobs: [], nextPageToken: '', latestPosition: 10 });
    millrace.training.watchTrainingJobs = async function* ({ afterPosition, filter }) {
      asked.push([filter, afterPosition]);
      for (const item of streams.shift()!) {
        if (item instanceof RpcError) {
          throw item;
        }
        yield { trainingJob: 'trainingJobs/a', position: item, event: null };
      }
    };
    const seen: number[] = [];
    for await (const { position } of millrace.followTrainingJobs('owner = ann', { fromNow: true })) {
      seen.push(position);
    }
    expect(seen).toEqual([12, 15, 16]);
    expect(asked).toEqual([10, 10, 15].map((position) => ['owner = ann', position]));
  });
});

describe('untilServed', () => {
  type State = [name: string, version: string, state: string, reason?: string];

  /** Waits with an index that changes with each pause; gives the pauses. */
  async function wait(...indexes: State[][]): Promise<number[]> {
    const pauses: number[] = [];
    const inference = {
      async repositoryIndex() {
        const shown = indexes[Math.min(pauses.length, indexes.length - 1)]!;
        return { models: shown.map(([name, version, state, reason = '']) => ({ name, version, state, reason })) };
      },
    };
    const clock = {
      now: () => pauses.reduce((sum, ms) => sum + ms, 0),
      sleep: async (ms: number) => pauses.push(ms),
    };
    await untilServed(inference, 'models/a/versions/2', { timeoutMs: 1_000 }, clock);
    return pauses;
  }

  it('ends when the version is ready, and not for another', async () => {
    const others: State[] = [
      ['a', '1', 'READY'],
      ['b', '2', 'READY'],
    ];
    expect(await wait(others, [...others, ['a', '2', 'LOADING']], [['a', '2', 'READY']])).toEqual([20, 40]);
    expect(await wait([['a', '2', 'READY']])).toEqual([]);
  });

  it('tells why a version cannot be served', async () => {
    const broken = wait([['a', '2', 'LOADING']], [['a', '2', 'UNAVAILABLE', 'unloaded']]);
    await expect(broken).rejects.toThrow('models/a/versions/2 cannot be served: unloaded');
  });

  it('gives up in the end', async () => {
    await expect(wait([])).rejects.toThrow('is not served after 1 s: inference does not know of it');
    await expect(wait([['a', '2', 'LOADING']])).rejects.toThrow('is not served after 1 s: it is still being loaded');
  });
});
