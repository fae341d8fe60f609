import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { lockFolder } from '../../../services/platform/folder-lock.js';
import { tempFolder } from '../../support/temp-folder.js';

const libsql = createRequire(import.meta.url).resolve('libsql');
let child: ChildProcess | null = null;

afterEach(() => {
  child?.kill('SIGKILL');
  child = null;
});

/** Another process that takes the lock as lockFolder does, and holds it until it is killed. */
async function holdElsewhere(folder: string): Promise<ChildProcess> {
  const script = `
    const Database = require(${JSON.stringify(libsql)});
    const database = new Database(${JSON.stringify(path.join(folder, 'lock'))}, { timeout: 0 });
    database.exec('BEGIN EXCLUSIVE');
    console.log('held');
    setInterval(() => database, 1000);`;
  child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data');
  return child;
}

describe('lockFolder', () => {
  it('refuses a folder that another process holds, and names it', async () => {
    const folder = tempFolder();
    await holdElsewhere(folder);
    expect(() => lockFolder(folder)).toThrow(
      expect.objectContaining({ reason: 'FOLDER_IN_USE', message: expect.stringContaining(folder) }),
    );
  });

  it('refuses a folder that this process holds', () => {
    const folder = tempFolder();
    const lock = lockFolder(folder);
    expect(() => lockFolder(folder)).toThrow(expect.objectContaining({ reason: 'FOLDER_IN_USE' }));
    lock.release();
  });

  it('takes a folder whose holder was killed, with nothing to clean up', async () => {
    const folder = tempFolder();
    const holder = await holdElsewhere(folder);
    holder.kill('SIGKILL');
    await once(holder, 'exit');
    lockFolder(folder).release();
  });

  it('makes the folder, and frees it on release', () => {
    const folder = path.join(tempFolder(), 'a', 'b');
    lockFolder(folder).release();
    lockFolder(folder).release();
  });
});
