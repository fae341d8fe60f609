import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Record as RawRecord } from '../../proto/gen/millrace/v1/Record.js';
import type { Millrace, RecordAnswer } from '../sdk/index.js';
import { CommandError, type CommonOptions, toJson } from './output.js';
import { parseRecord, versionedName } from './predict-command.js';

interface Line {
  number: number;
  /** Why it is no record; null: it was sent. */
  problem: string | null;
}

/** Answers a record a line by a line of JSON, in order: `{"label", "scores"}`, `{"labels", "scores"}`, `{"number"}`, `{"numbers"}` or `{"error"}`. */
export async function predictLines(
  millrace: Millrace,
  model: string,
  { records }: CommonOptions & { records: string },
): Promise<void> {
  const input = records === '-' ? process.stdin : createReadStream(records);
  const waiting: Line[] = [];
  let refused = 0;
  let count = 0;
  const write = async (answer: object) => {
    count++;
    if (!process.stdout.write(`${toJson(answer)}\n`)) {
      await once(process.stdout, 'drain');
    }
  };
  const refuse = (line: number, code: string, message: string) => {
    refused++;
    return write({ error: { line, code, message } });
  };
  /** Lines that were never sent and come before the next answer. */
  const refuseUnsent = async () => {
    for (let line = waiting[0]; line && line.problem !== null; line = waiting[0]) {
      await refuse(line.number, 'INVALID_ARGUMENT', line.problem);
      waiting.shift();
    }
  };
  for await (const answer of millrace.predictRecords(versionedName(model), readLines(input, waiting))) {
    await refuseUnsent();
    const { number } = waiting.shift()!;
    if (answer.error) {
      await refuse(number, answer.error.code, answer.error.message);
    } else {
      await write(toLine(answer.prediction));
    }
  }
  await refuseUnsent();
  if (refused > 0) {
    throw new CommandError(`${refused} of ${count} records were refused.`);
  }
}

function toLine({ label, labels, scores, number, numbers }: NonNullable<RecordAnswer['prediction']>): object {
  if (number !== undefined) {
    return { number };
  }
  if (numbers.length > 0) {
    return { numbers };
  }
  return label === '' ? { labels, scores } : { label, scores };
}

async function* readLines(input: NodeJS.ReadableStream, waiting: Line[]): AsyncGenerator<RawRecord, void> {
  let number = 0;
  for await (const text of createInterface({ input, crlfDelay: Number.POSITIVE_INFINITY })) {
    number++;
    if (text.trim() === '') {
      continue;
    }
    let record: RawRecord;
    try {
      record = parseRecord(text, `line ${number}`);
    } catch (error) {
      if (!(error instanceof CommandError)) {
        throw error;
      }
      waiting.push({ number, problem: error.message });
      continue;
    }
    waiting.push({ number, problem: null });
    yield record;
  }
}
