import { RpcError } from '../../proto/index.js';

const reconnectMs = 250;

/**
 * What `watch` streams, called again as often as its service has gone away: after a dropped connection, and when a service
 * restarts. Every other failure, and the end of a stream, ends it.
 */
export async function* reconnecting<Message>(
  watch: () => AsyncIterable<Message>,
  signal?: AbortSignal,
): AsyncGenerator<Message, void> {
  for (;;) {
    try {
      yield* watch();
      return;
    } catch (error) {
      if (!(error instanceof RpcError) || error.code !== 'UNAVAILABLE' || signal?.aborted) {
        throw error;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, reconnectMs));
  }
}
