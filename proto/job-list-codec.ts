import protobuf from 'protobufjs';
import { messageCodec } from './codecs.js';
import type { ListTrainingJobsResponse } from './gen/millrace/v1/ListTrainingJobsResponse.js';
import type { TrainingJob } from './gen/millrace/v1/TrainingJob.js';
import { perObject } from './per-object.js';

const tags = { trainingJobs: (1 << 3) | 2, nextPageToken: (2 << 3) | 2, latestPosition: 3 << 3 };

let codec: ReturnType<typeof messageCodec> | null = null;

const writeJob = perObject((job: TrainingJob) => {
  codec ??= messageCodec('millrace.v1.TrainingJob');
  return codec.serialize(job);
});

/** `ListTrainingJobsResponse`. A job that an earlier list had, as the same object, is not written anew. */
export function writeJobList({ trainingJobs, nextPageToken, latestPosition }: ListTrainingJobsResponse): Uint8Array {
  const writer = protobuf.Writer.create();
  for (const job of trainingJobs ?? []) {
    writer.uint32(tags.trainingJobs).bytes(writeJob(job));
  }
  if (nextPageToken) {
    writer.uint32(tags.nextPageToken).string(nextPageToken);
  }
  if (latestPosition) {
    writer.uint32(tags.latestPosition).int64(Number(latestPosition));
  }
  return writer.finish();
}
