import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { portError } from '../platform/server.js';

/** Who serves connections. */
export interface ConnectionTaker {
  readonly openConnections: number;
  take(connection: Socket): void;
}

/** Connections that may wait for a worker; one more is closed. */
const waitingMax = 4_096;

/** Owns the port, and hands each connection to the worker that has the fewest. */
export class ConnectionDoor {
  readonly #takers = new Set<ConnectionTaker>();
  readonly #waiting: Socket[] = [];

  private constructor(private readonly server: Server) {
    server.on('connection', (connection) => this.handOver(connection));
  }

  static async open(host: string, port: number): Promise<ConnectionDoor> {
    // Paused: what a client has sent must be read by the worker, not here.
    const server = createServer({ pauseOnConnect: true });
    await new Promise<void>((resolve, reject) => {
      server.once('error', (error) => reject(portError(error, host, port)));
      server.listen(port, host, resolve);
    });
    return new ConnectionDoor(server);
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  add(taker: ConnectionTaker): void {
    this.#takers.add(taker);
    for (const connection of this.#waiting.splice(0)) {
      this.handOver(connection);
    }
  }

  remove(taker: ConnectionTaker): void {
    this.#takers.delete(taker);
  }

  /** Takes no more connections, and closes those that nobody serves. */
  close(): void {
    // Does not wait for its end: connections handed over are their workers'.
    this.server.close();
    for (const connection of this.#waiting.splice(0)) {
      connection.destroy();
    }
  }

  /** To the worker that has the fewest; to the next one that comes, if there is none. */
  handOver(connection: Socket): void {
    let idlest: ConnectionTaker | null = null;
    for (const taker of this.#takers) {
      if (!idlest || taker.openConnections < idlest.openConnections) {
        idlest = taker;
      }
    }
    if (idlest) {
      idlest.take(connection);
    } else if (this.#waiting.length < waitingMax) {
      this.#waiting.push(connection);
    } else {
      connection.destroy();
    }
  }
}
