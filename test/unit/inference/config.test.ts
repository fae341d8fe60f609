import { describe, expect, it } from 'vitest';
import { metricsPort, readConfig } from '../../../services/inference/config.js';

describe('readConfig', () => {
  it.each([
    ['--max-in-flight=0', 'maxInFlight'],
    ['--loaded-versions-max=0', 'loadedVersionsMax'],
    ['--batch-rows-max=1.5', 'batchRowsMax'],
    ['--registry-address=here', 'registryAddress'],
    ['--metrics-port=65536', 'metricsPort'],
  ])('refuses %s', (arg, key) => {
    expect(() => readConfig([arg], {})).toThrow(key);
  });

  it('puts the metrics on the port that Triton has them on', () => {
    expect(metricsPort(readConfig([], {}))).toBe(8_002);
    expect(metricsPort(readConfig(['--port-base=9000'], {}))).toBe(9_002);
    expect(metricsPort(readConfig(['--metrics-port=0'], {}))).toBe(0);
  });
});
