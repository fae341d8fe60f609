import { mkdir, rm } from 'node:fs/promises';
import {
  type DuckDBConnection,
  type DuckDBDataChunk,
  DuckDBInstance,
  type DuckDBType,
  type DuckDBValue,
} from '@duckdb/node-api';

/** Importing this file loads DuckDB, some 30 MB: it is imported when the first table is. */

/** What one import may hold in memory before DuckDB writes it to its spill folder; its reader needs some 32 MB a thread. */
const memoryLimit = '512MB';

/** A database of its own for one import, ended when the caller goes away. */
export class DuckDb {
  private constructor(
    private readonly instance: DuckDBInstance,
    private readonly connection: DuckDBConnection,
    private readonly spillFolder: string,
    private readonly signal: AbortSignal,
  ) {
    signal.addEventListener('abort', this.#interrupt, { once: true });
  }

  /** @param spillFolder is made, and removed again */
  static async open(spillFolder: string, signal: AbortSignal): Promise<DuckDb> {
    await mkdir(spillFolder, { recursive: true });
    const instance = await DuckDBInstance.create(':memory:', {
      // What a file says must not make the database fetch code or open other files.
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
      memory_limit: memoryLimit,
      temp_directory: spillFolder,
      threads: '2',
    });
    return new DuckDb(instance, await instance.connect(), spillFolder, signal);
  }

  #interrupt = () => this.connection.interrupt();

  /** Rows of a query, as they are found. Each chunk is good until the next is asked for. */
  async *query(sql: string, parameters: (string | number)[]): AsyncGenerator<DuckDBDataChunk> {
    const result = await this.connection.stream(sql, parameters);
    for (;;) {
      const chunk = await result.fetchChunk();
      if (!chunk || chunk.rowCount === 0) {
        return;
      }
      yield chunk;
    }
  }

  /** Names and types of what a query answers. */
  async columnsOf(sql: string, parameters: string[]): Promise<{ name: string; type: DuckDBType }[]> {
    const result = await this.connection.stream(sql, parameters);
    return result.columnNames().map((name, i) => ({ name, type: result.columnType(i) }));
  }

  /** All rows of a query that has few. */
  async rows(sql: string, parameters: string[]): Promise<DuckDBValue[][]> {
    return (await this.connection.runAndReadAll(sql, parameters)).getRows();
  }

  async close(): Promise<void> {
    this.signal.removeEventListener('abort', this.#interrupt);
    this.connection.closeSync();
    this.instance.closeSync();
    await rm(this.spillFolder, { recursive: true, force: true });
  }
}

/** DuckDB takes a path for a pattern; in brackets, a character stands for itself. */
export function literalPath(path: string): string {
  return path.replace(/[*?[\]]/g, '[$&]');
}

/** A name in SQL. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in SQL. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
