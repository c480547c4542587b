/** A pool of connections. */
interface Pool<Member> {
  readonly idleClients: number;
  execute<T>(task: (one: Member) => Promise<T>): Promise<T>;
}

// The pool tells of failures by its event.
const ignore = (): void => undefined;

/** The connections of a pool, as far as they are idle or in use by a store. */
export class PoolMembers<Member> {
  readonly #pool: Pool<Member>;
  readonly #restart: (one: Member) => Promise<void>;
  readonly #inUse = new Set<Member>();
  #replacements = 0;

  /** `restart` ends a connection, rejects its pending commands, and connects again. */
  constructor(pool: Pool<Member>, restart: (one: Member) => Promise<void>) {
    this.#pool = pool;
    this.#restart = restart;
  }

  use<T>(work: (one: Member) => Promise<T>): Promise<T> {
    const replacements = this.#replacements;
    return this.#pool.execute(async (one) => {
      // Its caller may have given up while it waited for a connection.
      if (replacements !== this.#replacements)
        throw new Error("not sent: the connections were replaced");
      this.#inUse.add(one);
      try {
        return await work(one);
      } finally {
        this.#inUse.delete(one);
      }
    });
  }

  /** Replaces each connection. Those in use by the owner of the pool are left alone. */
  replace(): void {
    this.#replacements++;
    for (const one of this.#inUse) this.#restart(one).catch(ignore);
    for (let left = this.#pool.idleClients; left > 0; left--)
      this.#pool.execute(this.#restart).catch(ignore);
  }
}
