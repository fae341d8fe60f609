/** One family of metrics: its head and its series. */
interface Family {
  help: string | null;
  type: string | null;
  samples: string[];
}

/**
 * Joins texts in Prometheus's exposition format (0.0.4) into one, in which each family stands once. The series must differ,
 * as those of different services do by their label.
 */
export function mergeMetrics(texts: readonly string[]): string {
  const families = new Map<string, Family>();
  for (const text of texts) {
    addFamilies(text, families);
  }
  return [...families.values()].map(write).join('\n');
}

function addFamilies(text: string, families: Map<string, Family>): void {
  let name: string | null = null;
  for (const line of text.split('\n')) {
    const head = /^# (HELP|TYPE) (\S+)/.exec(line);
    if (head) {
      name = head[2]!;
      const family = open(families, name);
      const key = head[1] === 'HELP' ? 'help' : 'type';
      family[key] ??= line;
    } else if (line !== '' && !line.startsWith('#')) {
      const sample = /^[^{\s]+/.exec(line)?.[0] ?? line;
      // Series of a histogram are named like their family with a suffix.
      const owner: string = name !== null && sample.startsWith(name) ? name : sample;
      open(families, owner).samples.push(line);
    }
  }
}

function open(families: Map<string, Family>, name: string): Family {
  let family = families.get(name);
  if (!family) {
    family = { help: null, type: null, samples: [] };
    families.set(name, family);
  }
  return family;
}

function write({ help, type, samples }: Family): string {
  return [help, type, ...samples]
    .filter((line) => line !== null)
    .join('\n')
    .concat('\n');
}
