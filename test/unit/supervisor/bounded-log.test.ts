import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import { BoundedLog } from '../../../services/supervisor/bounded-log.js';
import { tempFolder } from '../../support/temp-folder.js';

describe('BoundedLog', () => {
  let file: string;
  beforeEach(() => {
    file = path.join(tempFolder(), 'registry.log');
  });
  const read = (name = file) => readFileSync(name, 'utf8');

  it('loses a line that cannot be written, and nothing else', () => {
    const log = new BoundedLog(path.join(path.dirname(file), 'missing', 'registry.log'));
    expect(() => log.append('lost')).not.toThrow();
  });

  it('goes on in the file of an earlier process', () => {
    new BoundedLog(file).append('one');
    new BoundedLog(file).append('two');
    expect(read()).toBe('one\ntwo\n');
  });

  it('keeps one full file beside the one that grows', () => {
    const log = new BoundedLog(file, 10);
    for (const line of ['first', 'second', 'third']) {
      log.append(line);
    }
    expect(read()).toBe('third\n');
    expect(read(`${file}.previous`)).toBe('second\n');
    expect(existsSync(`${file}.previous.previous`)).toBe(false);
  });
});
