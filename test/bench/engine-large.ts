/** `node dist/test/bench/engine-large.js [THREADS]` prints the figures as one line of JSON. */
import { measureBlasGflops, measureGflops } from '../../native/index.js';
import { trainLargeStep } from './engine.js';

const threads = Number(process.argv[2] ?? 0);
const figures = {
  ...(await trainLargeStep({ threads, epochs: 5 })),
  productGflops: await measureGflops({ threads, seconds: 1 }),
  blasGflopsOneThread: await measureBlasGflops({ seconds: 1 }),
};
console.log(JSON.stringify(figures));
