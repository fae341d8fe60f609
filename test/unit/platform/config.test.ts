import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import {
  address,
  baseSettings,
  isLoopback,
  loadConfig,
  serviceAddress,
  servicePort,
} from '../../../services/platform/config.js';
import { tempFolder } from '../../support/temp-folder.js';

const settings = { ...baseSettings, registryAddress: address, maxJobs: z.number().default(1) };

const load = (args: string[] = [], env: Record<string, string> = {}) => loadConfig(settings, args, env);

function configFile(content: string): string {
  const file = path.join(tempFolder(), 'millrace.yaml');
  writeFileSync(file, content);
  return file;
}

describe('loadConfig', () => {
  it.each([
    ['an unknown flag', ['--prot', '1'], /--prot/],
    ['a flag without a value', ['--port'], /--port/],
    ['a stray argument', ['8000'], /8000/],
    ['a port out of range', ['--port', '65536'], /port: .*65535.*received 65536/],
    ['an empty port', ['--port', ''], /port: /],
    ['a port that is no number', ['--port', '80a'], /port: .*received "80a"/],
    ['a fractional port', ['--port', '80.5'], /port: /],
    ['an unknown log level', ['--log-level', 'loud'], /logLevel: .*"debug".*received "loud"/],
    ['a bad flag', ['--insecure=maybe'], /insecure: /],
    [
      'an address without a port',
      ['--registry-address', 'localhost'],
      /registryAddress: expected host:port \(received "localhost"\)/,
    ],
    ['an empty data folder', ['--data-dir', ''], /dataDir: /],
  ])('refuses %s', (_, args, message) => {
    expect(() => load(args)).toThrow(message);
    expect(() => load(args)).toThrow(expect.objectContaining({ reason: 'INVALID_CONFIG' }));
  });

  it('refuses a misspelled key in the file', () => {
    expect(() => load(['--config', configFile('portbase: 9000')])).toThrow(/portbase/);
  });

  it('names all violations at once', () => {
    const file = configFile('dataDri: x\nport: true');
    expect(() => load(['--config', file, '--log-level', 'loud'], { MILLRACE_STOP_GRACE_MS: '-1' })).toThrow(
      /(?=.*dataDri)(?=.*port: )(?=.*logLevel: )(?=.*stopGraceMs: )/,
    );
  });

  it.each([
    ['is missing', '/nowhere/millrace.yaml', /\/nowhere\/millrace\.yaml cannot be read/],
    ['is not YAML', 'port: [', /cannot be read/],
    ['is a list', '- port', /cannot be read/],
  ])('refuses a file that %s', (_, content, message) => {
    const file = content.startsWith('/') ? content : configFile(content);
    expect(() => load(['--config', file])).toThrow(message);
  });

  it.each(['0.0.0.0', '::', '192.168.1.2', 'example.org', '127.0.0.1.example.org'])(
    'refuses to listen on %s without --insecure',
    (host) => {
      expect(() => load(['--host', host])).toThrow(expect.objectContaining({ reason: 'INSECURE_ADDRESS' }));
      expect(load(['--host', host, '--insecure'])).toMatchObject({ host, insecure: true });
    },
  );

  it('has defaults', () => {
    expect(load()).toEqual({
      host: '127.0.0.1',
      portBase: 8000,
      dataDir: path.resolve('.millrace'),
      logLevel: 'info',
      insecure: false,
      stopGraceMs: 10_000,
      messageBytesMax: 67_108_864,
      maxJobs: 1,
    });
  });

  it('lets the environment win over the file and arguments over both', () => {
    const file = configFile('portBase: 1000\nport: 1001\nhost: localhost\nmaxJobs: 4');
    const env = { MILLRACE_CONFIG: file, MILLRACE_PORT: '2001', MILLRACE_HOST: '::1' };
    const args = ['--host', '127.0.0.2'];
    expect(load(args, env)).toMatchObject({ portBase: 1000, port: 2001, host: '127.0.0.2', maxJobs: 4 });
  });

  it('takes the file of --config rather than that of the environment, and an empty one', () => {
    const env = { MILLRACE_CONFIG: configFile('port: 1') };
    expect(load(['--config', configFile('port: 2')], env)).toMatchObject({ port: 2 });
    expect(load(['--config', configFile('')], env)).toMatchObject({ portBase: 8000 });
  });

  it('makes the data folder absolute', () => {
    expect(load(['--data-dir', 'x/../y']).dataDir).toBe(path.resolve('y'));
  });
});

describe('isLoopback', () => {
  it('knows the addresses that never leave the machine', () => {
    expect(['127.0.0.1', '127.8.0.1', '::1', 'localhost'].every(isLoopback)).toBe(true);
    expect(['127.0.0.1.x', '0.0.0.0', '10.0.0.1', 'localhost.x', ''].some(isLoopback)).toBe(false);
  });
});

describe('ports', () => {
  it('follow from the base unless they are given', () => {
    expect(servicePort({ portBase: 9000 }, 'registry')).toBe(9003);
    expect(servicePort({ portBase: 9000, port: 0 }, 'registry')).toBe(0);
    expect(serviceAddress({ host: '127.0.0.2', portBase: 9000 }, undefined, 'training')).toBe('127.0.0.2:9004');
    expect(serviceAddress({ host: '::1', portBase: 9000 }, undefined, 'training')).toBe('[::1]:9004');
    expect(serviceAddress({ host: '0.0.0.0', portBase: 9000 }, undefined, 'training')).toBe('127.0.0.1:9004');
    expect(serviceAddress({ host: '127.0.0.1', portBase: 9000 }, 'there:1', 'training')).toBe('there:1');
  });
});
