import { once, setMaxListeners } from 'node:events';
import { connect } from 'node:net';
import { gzipSync } from 'node:zlib';
import type { InferenceClient } from '../bench/serving/own-server.js';
import { bytesOf, framed, rawRequest, seedInputs, seedModel } from '../bench/serving/requests.js';
import type { Session } from './good-clients.js';
import { add } from './ledger.js';
import { noAnswer, open, rawCall, requestHeaders } from './raw-call.js';

interface Victim {
  port: number;
  restPort: number;
  inference: InferenceClient;
  /** On another connection: Node's HTTP/2 ends one on which too many streams are reset. */
  stormy: InferenceClient;
}

/** Does its harm once. @returns what it was told */
type Harm = (victim: Victim, session: Session) => Promise<string>;

/** Codes that say no: an answer, or a failure of the server itself, is none. */
const refusal = /^(INVALID_ARGUMENT|RESOURCE_EXHAUSTED|UNIMPLEMENTED|3|8|12|400|413)$/;
const any = /./;

/** What grpc-js says of a connection that the server has ended. */
const connectionEnded = 'INTERNAL';
const onlyWords = (...words: string[]) => new RegExp(`^((${words.join('|')}) ?)+$`);

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const image = new Float32Array(seedInputs);
const good = () => rawRequest(seedModel, seedInputs, image);
const goodInput = { name: 'input', datatype: 'FP32', shape: [1, seedInputs] };
const goodBytes = bytesOf(image);

const malformed: Record<string, object> = {
  'a wrong shape': { inputs: [{ ...goodInput, shape: [1, 5] }] },
  'a negative shape': { inputs: [{ ...goodInput, shape: [-1, seedInputs] }] },
  'an overflowing shape': { inputs: [{ ...goodInput, shape: [2 ** 40, 2 ** 40] }] },
  'a shape of 8 GB': { inputs: [{ ...goodInput, shape: [2 ** 33 / seedInputs, seedInputs] }] },
  'no input': { inputs: [], rawInputContents: [] },
  'an unknown input': { inputs: [{ ...goodInput, name: 'nobody' }] },
  'an input twice': { inputs: [goodInput, goodInput], rawInputContents: [goodBytes, goodBytes] },
  'an output twice': { outputs: [{ name: 'output' }, { name: 'output' }] },
  'too few bytes': { rawInputContents: [goodBytes.subarray(1)] },
  'raw and typed': { inputs: [{ ...goodInput, contents: { fp32Contents: [...image] } }] },
  'a wrong datatype': { inputs: [{ ...goodInput, datatype: 'INT32' }] },
  'no datatype': { inputs: [{ ...goodInput, datatype: 'FP33' }] },
};

let nextMalformed = 0;

const harms: Record<string, { allowed: RegExp; harm: Harm; pauseMs: number }> = {
  'malformed requests': {
    allowed: refusal,
    pauseMs: 5,
    harm: ({ inference }) => {
      const kinds = Object.values(malformed);
      return told(inference.modelInfer({ ...good(), ...kinds[nextMalformed++ % kinds.length] }));
    },
  },
  'truncated messages': {
    allowed: refusal,
    pauseMs: 50,
    harm: async ({ port }) => {
      const body = framed(good()).subarray(0, 1 + Math.floor(Math.random() * 3_000));
      return String(await rawCall({ port, method: 'ModelInfer', body }));
    },
  },
  'broken protobuf': {
    allowed: refusal,
    pauseMs: 50,
    harm: async ({ port }) => {
      const body = framed(good());
      // An inner length that reaches beyond the message.
      body[6] = 0x7f;
      return String(await rawCall({ port, method: 'ModelInfer', body }));
    },
  },
  'compressed bombs': {
    allowed: refusal,
    pauseMs: 2_000,
    harm: async ({ port }) => {
      bomb ??= compressed(256 * 1024 * 1024);
      return String(await rawCall({ port, method: 'ModelInfer', body: bomb, headers: { 'grpc-encoding': 'gzip' } }));
    },
  },
  'connection resets': {
    allowed: any,
    pauseMs: 50,
    harm: async ({ port }) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      const session = await open(port, { createConnection: () => socket });
      const stream = session.request(requestHeaders('ModelInfer'));
      stream.on('error', () => undefined);
      stream.write(framed(good()).subarray(0, 1_000));
      await sleep(Math.random() * 20);
      socket.resetAndDestroy();
      return 'nothing';
    },
  },
  'bytes that are no HTTP': {
    allowed: any,
    pauseMs: 200,
    harm: async ({ port }) => {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.resume();
      socket.write(Buffer.from(Array.from({ length: 4_096 }, () => Math.floor(Math.random() * 256))));
      await Promise.race([once(socket, 'close'), sleep(1_000)]);
      socket.resetAndDestroy();
      return 'nothing';
    },
  },
  'slow readers': {
    allowed: any,
    pauseMs: 500,
    harm: async ({ port }) => {
      const session = await open(port, { settings: { initialWindowSize: 64 } });
      const stream = session.request(requestHeaders('ModelStreamInfer'));
      stream.on('error', () => undefined);
      const body = framed(rawRequest(seedModel, seedInputs, new Float32Array(32 * seedInputs)));
      // Nothing is read: the answers, and in the end the requests, have to wait on the other side.
      for (let i = 0; i < 200 && !stream.destroyed; i++) stream.write(body);
      await sleep(3_000);
      session.destroy();
      return 'nothing';
    },
  },
  'deadline storms': {
    allowed: onlyWords('OK', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', connectionEnded),
    pauseMs: 500,
    harm: async ({ stormy }) => {
      const calls = Array.from({ length: 40 }, (_, i) => told(stormy.modelInfer(good(), { timeoutMs: 1 + (i % 3) })));
      return [...new Set(await Promise.all(calls))].sort().reverse().join(' ');
    },
  },
  'hang-ups': {
    allowed: onlyWords('OK', 'CANCELLED', connectionEnded),
    pauseMs: 200,
    harm: async ({ stormy }) => {
      const controller = new AbortController();
      setMaxListeners(0, controller.signal);
      const calls = Array.from({ length: 20 }, () => told(stormy.modelInfer(good(), { signal: controller.signal })));
      await sleep(Math.random() * 4);
      controller.abort();
      return [...new Set(await Promise.all(calls))].sort().reverse().join(' ');
    },
  },
  'bad JSON': {
    allowed: refusal,
    pauseMs: 100,
    harm: async ({ restPort }) => {
      const texts = [
        '{"inputs": [',
        '[]',
        '{"inputs": [{"name": "input", "shape": [1, -1], "datatype": "FP32", "data": []}]}',
      ];
      const body = texts[Math.floor(Math.random() * texts.length)]!;
      const { status } = await fetch(`http://127.0.0.1:${restPort}/v2/models/${seedModel}/infer`, {
        method: 'POST',
        body,
      });
      return String(status);
    },
  },
};

let bomb: Uint8Array | null = null;

/** A frame whose content is small and becomes large. */
function compressed(bytes: number): Uint8Array {
  const content = gzipSync(Buffer.alloc(bytes));
  const head = Buffer.from([1, 0, 0, 0, 0]);
  head.writeUInt32BE(content.length, 1);
  return Buffer.concat([head, content]);
}

async function told(call: Promise<unknown>): Promise<string> {
  return call.then(
    () => 'OK',
    (error: { code?: string }) => String(error.code),
  );
}

/** All bad clients, each in turns with a pause. What they get for it is checked too. */
export function runBadClients(victim: Victim, session: Session): [name: string, task: Promise<void>][] {
  const { ledger, ending } = session;
  const run = async (name: string) => {
    const { allowed, harm, pauseMs } = harms[name]!;
    while (!ending.aborted) {
      const begin = performance.now();
      try {
        const answer = await harm(victim, session);
        add(ledger.refusals, `${name}: ${answer}`);
        if (answer === noAnswer || (!allowed.test(answer) && !ledger.isUnsettled(begin))) {
          ledger.violate(`${name} were told ${answer}`, '');
        }
      } catch (error) {
        if (!ledger.isUnsettled(begin)) {
          ledger.violate(`${name} could not be done`, (error as Error).message);
        }
      }
      await sleep(pauseMs);
    }
  };
  return Object.keys(harms).map((name) => [name, run(name)]);
}
