import { setImmediate } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { EventWriter } from '../../../services/training/event-writer.js';
import type { Happening } from '../../../services/training/job.js';

const resumed = (epochsDone: number): Happening => ({ kind: 'resumed', epochsDone, stepsDone: 0 });

/** Commits that wait to be let through. */
class Commits {
  readonly batches: Happening[][] = [];
  readonly gates: { resolve(): void; reject(error: Error): void }[] = [];

  readonly commit = (batch: Happening[]) => {
    this.batches.push(batch);
    return new Promise<void>((resolve, reject) => this.gates.push({ resolve, reject }));
  };
}

/** A commit begins in the next turn of the event loop. */
async function turn(): Promise<void> {
  await setImmediate();
  await setImmediate();
}

describe('EventWriter', () => {
  it('refuses every event after a failed commit', async () => {
    const commits = new Commits();
    const writer = new EventWriter(commits.commit);
    const first = writer.append(resumed(1));
    await turn();
    const second = writer.append(resumed(2));
    commits.gates[0]!.reject(new Error('disk full'));
    await expect(first).rejects.toThrow('disk full');
    await expect(second).rejects.toThrow('disk full');
    await expect(writer.append(resumed(3))).rejects.toThrow('disk full');
    await writer.settle();
    expect(commits.batches).toEqual([[resumed(1)]]);
  });

  it('commits together what came while another commit was under way, in order', async () => {
    const commits = new Commits();
    const writer = new EventWriter(commits.commit);
    const first = writer.append(resumed(1));
    // Whoever appends goes on first: a commit blocks the event loop.
    await Promise.resolve();
    expect(commits.batches).toEqual([]);
    await turn();
    const later = [writer.append(resumed(2)), writer.append(resumed(3))];
    commits.gates[0]!.resolve();
    await first;
    await turn();
    expect(commits.batches).toEqual([[resumed(1)], [resumed(2), resumed(3)]]);
    commits.gates[1]!.resolve();
    await Promise.all(later);
  });

  it('resolves only once the event is durable', async () => {
    const commits = new Commits();
    const writer = new EventWriter(commits.commit);
    let isDurable = false;
    const append = writer.append(resumed(1)).then(() => {
      isDurable = true;
    });
    await turn();
    expect(isDurable).toBe(false);
    commits.gates[0]!.resolve();
    await append;
    expect(isDurable).toBe(true);
  });
});
