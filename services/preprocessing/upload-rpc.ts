import type { Upload as UploadMessage } from '../../proto/gen/millrace/v1/Upload.js';
import type { UploadFilesRequest__Output } from '../../proto/gen/millrace/v1/UploadFilesRequest.js';
import type { UploadPart, UploadState } from './import/upload.js';
import { uploadName } from './import/uploads.js';

export async function* fromUploadRequests(
  requests: AsyncIterable<UploadFilesRequest__Output>,
): AsyncGenerator<UploadPart, void> {
  for await (const { part, upload, file, chunk, digest } of requests) {
    switch (part) {
      case 'upload':
        yield { upload: upload! };
        break;
      case 'file':
        yield { file: file! };
        break;
      case 'chunk':
        yield { chunk: chunk! };
        break;
      case 'digest':
        yield { digest: digest! };
        break;
      default:
        yield null;
    }
  }
}

export function toUpload({ id, fileCount, sizeBytes, partialBytes }: UploadState): UploadMessage {
  return { name: uploadName.format({ upload: id }), fileCount, sizeBytes, partialBytes };
}
