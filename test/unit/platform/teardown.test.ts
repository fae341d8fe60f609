import { describe, expect, it } from 'vitest';
import { Teardown } from '../../../services/platform/teardown.js';

describe('Teardown', () => {
  it('closes everything although something fails, and throws the first failure', async () => {
    const closed: string[] = [];
    const teardown = new Teardown();
    teardown.add(() => closed.push('a'));
    teardown.add(async () => {
      throw new Error('second');
    });
    teardown.add(() => {
      throw new Error('first');
    });
    await expect(teardown.run()).rejects.toThrow('first');
    expect(closed).toEqual(['a']);
  });

  it('closes in the reverse order, each once, and waits', async () => {
    const closed: string[] = [];
    const teardown = new Teardown();
    teardown.add(() => closed.push('a'));
    teardown.add(async () => {
      await Promise.resolve();
      closed.push('b');
    });
    await teardown.run();
    await teardown.run();
    expect(closed).toEqual(['b', 'a']);
  });
});
