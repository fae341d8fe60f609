/** `node dist/test/bench/engine-load.js` prints the milliseconds that loading the addon takes, as JSON. */
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);
const begin = performance.now();
require('#addon');
console.log(JSON.stringify({ milliseconds: performance.now() - begin }));
