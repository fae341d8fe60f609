import { expect, it } from 'vitest';
import { LocalBlobStore } from '../../../services/platform/blob-store.js';
import { receiveBlob, type UploadPart } from '../../../services/registry/blob-transfer.js';
import { tempFolder } from '../../support/temp-folder.js';

it('lets go of an upload that it refuses', async () => {
  let isLeft = false;
  async function* parts(): AsyncGenerator<UploadPart> {
    try {
      yield { announced: { digest: 'md5:0', sizeBytes: 1 } };
    } finally {
      isLeft = true;
    }
  }
  const blobs = await LocalBlobStore.open(tempFolder());
  await expect(receiveBlob(blobs, parts())).rejects.toMatchObject({ code: 'INVALID_ARGUMENT' });
  expect(isLeft).toBe(true);
});
