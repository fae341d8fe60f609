import {
  autoTuning,
  type Millrace,
  pipelineFields,
  readTrainingSpec,
  withAutoSplit,
  writeTuningSpec,
} from '../sdk/index.js';
import { CommandError, type CommonOptions, show, toJson } from './output.js';
import { idOf } from './resource-name.js';
import { specText } from './spec-file.js';
import { followTuning, type TuneOptions } from './tunings-command.js';

/** Fills in what a spec leaves open by what its dataset is like, and searches it within a time, s. */
export async function trainAuto(
  millrace: Millrace,
  options: CommonOptions & TuneOptions & { time: number },
): Promise<void> {
  const source = await specText(options.file);
  const given = withAutoSplit(readTrainingSpec(source));
  const { dataset, pipeline, split, sampleWeight } = given;
  const fit = { dataset, spec: pipeline, split, sampleWeight };
  const fitted = await source.telling(pipelineFields(source), () => millrace.preprocessing.fitPipeline(fit));
  const { spec, tune, reasons } = autoTuning(given, fitted, options.time);
  if (Object.keys(tune.space ?? {}).length === 0) {
    throw new CommandError(
      '--auto has nothing to search: the spec says network, optimizer and batch size already. Leave some out.',
    );
  }
  const { requestId, owner, priority, label: labels } = options;
  const request = { spec, tune, requestId, owner, priority, labels };
  const tuning = await source.telling({ spec: '' }, () => millrace.tuning.createTuningJob(request));
  const chosen = writeTuningSpec(spec, tune).trimEnd().split('\n');
  const lines = [...chosen, ...reasons.map((reason) => `# ${reason}`), tuning.name];
  if (!options.follow) {
    show(options, { tuning, reasons }, lines, `millrace tunings watch ${idOf(tuning.name)}`);
    return;
  }
  process.stdout.write(options.json ? `${toJson({ tuning, reasons })}\n` : `${lines.join('\n')}\n`);
  await followTuning(millrace, tuning, options);
}
