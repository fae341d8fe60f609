/** `node dist/test/bench/engine-epoch.js [EPOCHS] [THREADS] [SEED] [VALIDATION_ROWS]` prints the figures as one line of JSON. */
import { trainSeedExample } from './engine.js';

const [epochs = 5, threads = 0, seed = 1, validationRows = 0] = process.argv.slice(2).map(Number);
console.log(JSON.stringify(await trainSeedExample({ epochs, threads, seed, validationRows })));
