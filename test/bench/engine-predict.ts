/** `node dist/test/bench/engine-predict.js` prints microseconds by rows as one line of JSON. */
import { predictedRows, predictMicroseconds } from './engine.js';

const figures = predictedRows.map((rows) => {
  const repetitions = Math.max(20, Math.ceil(4000 / rows));
  return [rows, Number(predictMicroseconds({ rows, repetitions }).toFixed(2))];
});
console.log(JSON.stringify(Object.fromEntries(figures)));
