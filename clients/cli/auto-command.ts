import { readFile } from 'node:fs/promises';
import { autoTuning, type Millrace, readTrainingSpec, withAutoSplit, writeTuningSpec } from '../sdk/index.js';
import { CommandError, type CommonOptions, show, toJson } from './output.js';
import { idOf } from './resource-name.js';
import { followTuning, type TuneOptions } from './tunings-command.js';

/** Fills in what a spec leaves open by what its dataset is like, and searches it within a time, s. */
export async function trainAuto(
  millrace: Millrace,
  options: CommonOptions & TuneOptions & { time: number },
): Promise<void> {
  const given = withAutoSplit(readTrainingSpec(await readFile(options.file, 'utf8')));
  const { dataset, pipeline, split } = given;
  const fitted = await millrace.preprocessing.fitPipeline({ dataset, spec: pipeline, split });
  const { spec, tune, reasons } = autoTuning(given, fitted, options.time);
  if (Object.keys(tune.space ?? {}).length === 0) {
    throw new CommandError(
      '--auto has nothing to search: the spec says network, optimizer and batch size already. Leave some out.',
    );
  }
  const { requestId, owner, priority, label: labels } = options;
  const tuning = await millrace.tuning.createTuningJob({ spec, tune, requestId, owner, priority, labels });
  const chosen = writeTuningSpec(spec, tune).trimEnd().split('\n');
  const lines = [...chosen, ...reasons.map((reason) => `# ${reason}`), tuning.name];
  if (!options.follow) {
    show(options, { tuning, reasons }, lines, `millrace tunings watch ${idOf(tuning.name)}`);
    return;
  }
  process.stdout.write(options.json ? `${toJson({ tuning, reasons })}\n` : `${lines.join('\n')}\n`);
  await followTuning(millrace, tuning, options);
}
