// usage: soak [serving] [--minutes 10] | soak training [--jobs 200] [--kills 20]

const subjects = { serving: () => import('./serving.js'), training: () => import('./training.js') };
const [given] = process.argv.slice(2);
const subject = (['serving', 'training'] as const).find((name) => name === given);
if (subject) {
  process.argv.splice(2, 1);
}
await subjects[subject ?? 'serving']();
