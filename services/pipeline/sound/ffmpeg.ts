import { spawn } from 'node:child_process';
import { SoundError } from './sound-error.js';

/** Formats that ffmpeg decodes for us, by their first bytes, one character a byte. */
const formats = [
  { name: 'flac', begins: /^fLaC/ },
  { name: 'ogg', begins: /^OggS/ },
  // A tag, or a frame of layer III.
  { name: 'mp3', begins: /^(ID3|\xff[\xe2\xe3\xf2\xf3\xfa\xfb])/ },
] as const;

export type FfmpegFormat = (typeof formats)[number]['name'];

/** What one file may cost. */
const outputBytesMax = 64 * 1024 * 1024;
const memoryKibMax = 1024 * 1024;
const timeMsMax = 30_000;
const childrenMax = 4;
/** Of the shell, for a program that there is not. */
const notFound = 127;

/** Null: none of the formats. */
export function ffmpegFormat(content: Uint8Array): FfmpegFormat | null {
  const begin = Buffer.from(content.buffer, content.byteOffset, Math.min(content.length, 4)).toString('latin1');
  return formats.find(({ begins }) => begins.test(begin))?.name ?? null;
}

/**
 * Has an installed ffmpeg turn the first `seconds` of a file into a WAV file of float32, in a process of its own that reads nothing but what it
 * is given, and ends with the first error.
 * @throws SoundError
 */
export async function decodeWithFfmpeg(content: Uint8Array, format: FfmpegFormat, seconds: number): Promise<Buffer> {
  const expected = `a whole ${format.toUpperCase()} file that ffmpeg decodes`;
  await takeTurn();
  try {
    const { code, output, said } = await run(commandOf(format, seconds), content);
    if (code === notFound) {
      throw new SoundError('a WAV file', `one of ${format.toUpperCase()}, for which ffmpeg must be installed`);
    }
    if (output === null) {
      throw new SoundError(`${expected} to at most ${outputBytesMax} bytes`, 'one of more');
    }
    if (code !== 0) {
      throw new SoundError(expected, code === null ? `one that takes more than ${timeMsMax} ms` : `one that ${said}`);
    }
    return output;
  } finally {
    giveTurn();
  }
}

/** The shell bounds memory where the system can, and becomes ffmpeg. */
function commandOf(format: FfmpegFormat, seconds: number): string[] {
  const limited = `ulimit -v ${memoryKibMax} 2>/dev/null; exec ffmpeg "$@"`;
  const reading = ['-protocol_whitelist', 'pipe', '-threads', '1', '-xerror', '-f', format, '-i', 'pipe:0'];
  const writing = ['-map', '0:a:0', '-t', String(seconds), '-threads', '1', '-c:a', 'pcm_f32le', '-bitexact'];
  const quiet = ['-nostdin', '-hide_banner', '-loglevel', 'error'];
  return ['-c', limited, 'ffmpeg', ...quiet, ...reading, ...writing, '-f', 'wav', 'pipe:1'];
}

interface Outcome {
  /** Null: killed. */
  code: number | null;
  /** Null: too long. */
  output: Buffer | null;
  said: string;
}

function run(command: string[], input: Uint8Array): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', command, { stdio: 'pipe', timeout: timeMsMax, killSignal: 'SIGKILL' });
    const output: Buffer[] = [];
    let outputBytes = 0;
    let said = '';
    child.stdout.on('data', (piece: Buffer) => {
      outputBytes += piece.length;
      if (outputBytes <= outputBytesMax) {
        output.push(piece);
      } else {
        child.kill('SIGKILL');
      }
    });
    child.stderr.setEncoding('latin1').on('data', (piece: string) => {
      said ||= piece.split('\n')[0]!.slice(0, 200);
    });
    // It may stop reading before the end: then its exit says why.
    child.stdin.on('error', () => undefined);
    child.on('error', reject);
    child.on('close', (code) => {
      resolve({ code, output: outputBytes <= outputBytesMax ? Buffer.concat(output) : null, said });
    });
    child.stdin.end(input);
  });
}

let children = 0;
const waiting: (() => void)[] = [];

async function takeTurn(): Promise<void> {
  if (children >= childrenMax) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  }
  children++;
}

function giveTurn(): void {
  children--;
  waiting.shift()?.();
}
