import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { readConfig as readPreprocessingConfig } from '../../../services/preprocessing/config.js';
import { ownArgs, readConfig } from '../../../services/supervisor/supervisor.js';
import { tempFolder } from '../../support/temp-folder.js';

describe('settings of the mesh that are for one service', () => {
  it('are handed to it from arguments, environment and file', () => {
    const file = path.join(tempFolder(), 'mesh.yaml');
    writeFileSync(file, 'importFolders: [/srv/data, /mnt/share]\ndownloadBytesMax: 5\nworkers: 3\n');
    const env = { MILLRACE_IMPORT_HOSTS: 'a.internal,b.internal', MILLRACE_JOBS_AT_ONCE: '2' };
    const config = readConfig(['--config', file, '--upload-bytes-max', '7'], env);
    expect(ownArgs(config, 'inference')).toEqual(['--workers=3']);
    expect(ownArgs(config, 'training')).toEqual(['--jobs-at-once=2']);
    expect(ownArgs(config, 'registry')).toEqual([]);
    expect(readPreprocessingConfig(ownArgs(config, 'preprocessing'), {})).toMatchObject({
      importFolders: ['/srv/data', '/mnt/share'],
      importHosts: ['a.internal', 'b.internal'],
      downloadBytesMax: 5,
      uploadBytesMax: 7,
    });
  });

  it('are left to it where nothing is said', () => {
    expect(ownArgs(readConfig([], {}), 'preprocessing')).toEqual([]);
  });

  it('are checked before anything starts', () => {
    expect(() => readConfig(['--download-bytes-max', '0'], {})).toThrow('downloadBytesMax: ');
  });
});
