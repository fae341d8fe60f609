import { describe, expect, it } from 'vitest';
import { mergeMetrics } from '../../../services/gateway/metrics-text.js';

describe('mergeMetrics', () => {
  it('is empty for nothing', () => {
    expect(mergeMetrics(['', ''])).toBe('');
  });

  it('lets each family stand once, with the series of all', () => {
    const text = (service: string) =>
      `# HELP up Whether.\n# TYPE up gauge\nup{service="${service}"} 1\n\n# HELP cpu Time.\n# TYPE cpu counter\ncpu{service="${service}"} 2\n`;
    expect(mergeMetrics([text('a'), text('b')])).toBe(
      [
        '# HELP up Whether.',
        '# TYPE up gauge',
        'up{service="a"} 1',
        'up{service="b"} 1',
        '',
        '# HELP cpu Time.',
        '# TYPE cpu counter',
        'cpu{service="a"} 2',
        'cpu{service="b"} 2',
        '',
      ].join('\n'),
    );
  });

  it('keeps the series of a histogram with it', () => {
    const text = '# TYPE s histogram\ns_bucket{le="1"} 1\ns_sum 2\ns_count 1\n';
    expect(mergeMetrics([text])).toBe(text);
  });

  it('takes series without a head, and heads without series', () => {
    expect(mergeMetrics(['lonely 1\n# TYPE empty gauge\n'])).toBe('lonely 1\n\n# TYPE empty gauge\n');
  });
});
