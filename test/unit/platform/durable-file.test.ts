import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { writeDurably } from '../../../services/platform/durable-file.js';
import { tempFolder } from '../../support/temp-folder.js';

describe('writeDurably', () => {
  it('leaves the old content and no draft when it fails', async () => {
    const folder = tempFolder();
    mkdirSync(path.join(folder, 'target'));
    writeFileSync(path.join(folder, 'target', 'inside'), '');
    await expect(writeDurably(path.join(folder, 'target'), 'new')).rejects.toThrow();
    expect(readdirSync(folder)).toEqual(['target']);
    await expect(writeDurably(path.join(folder, 'missing', 'x'), 'new')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('refuses two writers of one file', async () => {
    const file = path.join(tempFolder(), 'x');
    const first = writeDurably(file, 'first');
    await expect(writeDurably(file, 'second')).rejects.toThrow('being written already');
    await first;
    expect(readFileSync(file, 'utf8')).toBe('first');
  });

  it('replaces the content, also over the draft of a crash', async () => {
    const folder = tempFolder();
    const file = path.join(folder, 'x');
    writeFileSync(`${file}.draft`, 'a longer draft that a crash left behind');
    await writeDurably(file, 'old');
    await writeDurably(file, Buffer.from('new'));
    expect(readFileSync(file, 'utf8')).toBe('new');
    expect(readdirSync(folder)).toEqual(['x']);
  });
});
