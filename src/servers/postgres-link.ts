import { KvError } from "../errors.ts";

/** A statement as `pg` takes it. */
export interface PgQuery {
  text: string;
  values?: (string | null)[];
  rowMode: "array";
  types: { getTypeParser(): (value: unknown) => string };
  query_timeout?: number;
}

/** What a statement answers. */
export interface PostgresResult {
  readonly rows: unknown[];
}

/** The part of a `pg` Pool or Client that is used. */
export interface PgClient {
  query(query: PgQuery): Promise<PostgresResult>;
  connect(): Promise<unknown>;
  end(): Promise<unknown>;
  on(event: "error", listener: () => void): unknown;
}

/** How PGlite is asked for rows. */
export interface PgliteOptions {
  rowMode: "array";
  parsers: { [type: number]: (value: string) => unknown };
}

/** The part of a PGlite database that is used. */
export interface PgliteClient {
  query(text: string, values?: (string | null)[], options?: PgliteOptions): Promise<PostgresResult>;
  exec(text: string, options?: PgliteOptions): Promise<PostgresResult[]>;
  close(): Promise<void>;
}

/** A Pool or Client of `pg`, or a PGlite database. */
export type PostgresClient = PgClient | PgliteClient;

/** The columns of a row, each as a text. */
export type Row = readonly (string | null)[];

/** The ways to the database. */
export interface PostgresLink {
  /** How the column with the keys is read, and how many characters stand before a key then. */
  readonly key: string;
  readonly guard: number;
  /** One statement; its columns have to be texts. With `isLong` it may take as long as it needs. */
  run(text: string, values?: readonly (string | null)[], isLong?: boolean): Promise<Row[]>;
  /** Several statements, all or none of them; the rows of the last. */
  script(text: string): Promise<Row[]>;
  close(): Promise<void>;
}

/** How long a server may take to answer, in milliseconds, unless the client says otherwise: then the connection is given up, and a Pool opens another. */
const LONGEST = 60_000;

/** How long `close()` waits for what others still do. */
const GOODBYE = 1000;

/** What pg tells of itself, none of it documented. */
interface PgState {
  readonly pipeline?: boolean;
  readonly _ended?: boolean;
  readonly _ending?: boolean;
  readonly _queryable?: boolean;
  readonly _connectionError?: boolean;
  readonly connectionParameters?: { readonly query_timeout?: unknown };
  readonly options?: { readonly query_timeout?: unknown };
  release?(destroy: boolean): void;
}

// Without a listener an idle connection that breaks would end the process.
const listening = new WeakSet<object>();
const connecting = new WeakMap<object, Promise<void>>();
const queues = new WeakMap<object, Promise<unknown>>();

/** Connects a Client that is not connected; one that is, or is about to, is left alone. */
function connect(client: PgClient): Promise<void> {
  const made = connecting.get(client) ?? client.connect().then(
    () => undefined,
    (error: Error) => {
      if (!/already been connected/.test(error.message)) throw error;
    },
  );
  connecting.set(client, made);
  return made;
}

const isOver = ({ _ended, _ending, _queryable, _connectionError }: PgState): boolean => _ended === true || _ending === true || _connectionError === true || _queryable === false;

const over = (cause?: unknown): KvError =>
  new KvError("KV_CONNECTION", "the connection of this pg Client has ended, and a Client cannot connect again: pass a Pool instead", cause === undefined ? {} : { cause });

/** One after the other: a Client has one connection, and does not like to be asked while it is busy. */
function inTurn<T>(client: object, task: () => Promise<T>): Promise<T> {
  const done = (queues.get(client) ?? Promise.resolve()).then(task);
  queues.set(client, done.catch(() => {}));
  return done;
}

/** Resolves when the work is done, at the latest after a moment. Keeps no process alive. */
function briefly(work: Promise<unknown>): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer: unknown = setTimeout(resolve, GOODBYE);
    (timer as { unref?(): void }).unref?.();
    work.then(() => resolve(), reject);
  });
}

function pgliteLink(db: PgliteClient): PostgresLink {
  const options: PgliteOptions = { rowMode: "array", parsers: { 25: (value) => value } };
  return {
    // A byte order mark at the start of a text is lost.
    key: "'.' || key",
    guard: 1,
    run: async (text, values = []) => (await db.query(text, [...values], options)).rows as Row[],
    script: async (text) => ((await db.exec(text, options)).at(-1)?.rows ?? []) as Row[],
    close: () => db.close(),
  };
}

/**
 * The ways to the database of a client.
 *
 * @throws {KvError} KV_CONNECTION for a Client whose connection has ended.
 */
export async function linkTo(client: PostgresClient): Promise<PostgresLink> {
  if ("exec" in client) return pgliteLink(client);
  const state = client as PgState;
  const isPool = "idleCount" in client;
  if (!listening.has(client)) client.on("error", () => {});
  listening.add(client);
  if (!isPool) {
    if (isOver(state)) throw over();
    await connect(client);
  }
  // A type parser of the user's own must not get in between; with the option "binary" texts are bytes.
  const shape = { rowMode: "array", types: { getTypeParser: () => String } } as const;
  const limit = (state.options ?? state.connectionParameters)?.query_timeout ? {} : { query_timeout: LONGEST };
  const ask = async (query: PgQuery): Promise<Row[]> => {
    if (isPool || state.pipeline === true) return rowsOf(await client.query(query));
    return inTurn(client, async () => {
      if (isOver(state)) throw over();
      try {
        return rowsOf(await client.query(query));
      } catch (error) {
        throw isOver(state) ? over(error) : error;
      }
    });
  };
  return {
    key: "key",
    guard: 0,
    run: (text, values, isLong = false) => ask({ text, ...shape, ...(isLong ? {} : limit), ...(values === undefined ? {} : { values: [...values] }) }),
    script: (text) => ask({ text, ...shape, ...limit }),
    async close() {
      // A client that was taken out of a pool goes back, and is not used again.
      if (state.release !== undefined) return state.release(true);
      await briefly(client.end());
    },
  };
}

/** The rows of the last of the statements. */
function rowsOf(result: PostgresResult | PostgresResult[]): Row[] {
  return (Array.isArray(result) ? result.at(-1)! : result).rows as Row[];
}
