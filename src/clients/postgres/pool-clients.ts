import type { PgClient, PgQuery, PostgresResult } from "./client.ts";

/** A Client that was taken out of a Pool. */
interface PgPoolClient extends PgClient {
  readonly connection?: { readonly stream?: { destroy?(): void } };
  release(error?: unknown): void;
  removeListener(event: "error", listener: () => void): unknown;
}

/** A Pool of `pg`. */
export interface PgPool extends PgClient {
  readonly idleCount: number;
  connect(): Promise<PgPoolClient>;
}

const ignore = (): void => undefined;

/** The connections of a Pool, as far as they are idle or in use by a store. */
export class PoolClients {
  readonly #pool: PgPool;
  readonly #inUse = new Set<PgPoolClient>();
  #replacements = 0;

  constructor(pool: PgPool) {
    this.#pool = pool;
  }

  async query(query: PgQuery): Promise<PostgresResult> {
    const replacements = this.#replacements;
    const client = await this.#pool.connect();
    if (replacements !== this.#replacements) {
      // Its caller may have given up while it waited for a connection.
      client.release();
      throw new Error("not sent: connections of the pool were replaced");
    }
    this.#inUse.add(client);
    // Without a listener a connection that breaks would end the process.
    client.on("error", ignore);
    try {
      const result = await client.query(query);
      this.#giveBack(client);
      return result;
    } catch (error) {
      this.#giveBack(client, error);
      throw error;
    }
  }

  /** Gives each connection up. Those in use by the owner of the Pool are left alone. */
  replace(): void {
    this.#replacements++;
    for (const client of this.#inUse) this.#drop(client);
    for (let left = this.#pool.idleCount; left > 0; left--)
      this.#pool.connect().then((client) => this.#drop(client), ignore);
  }

  #giveBack(client: PgPoolClient, error?: unknown): void {
    client.removeListener("error", ignore);
    if (this.#inUse.delete(client)) client.release(error);
  }

  #drop(client: PgPoolClient): void {
    this.#inUse.delete(client);
    client.release(true);
    // A Client says goodbye first, and waits for the answer.
    client.connection?.stream?.destroy?.();
  }
}
