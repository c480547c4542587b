import { KvError } from "../../errors.ts";
import { listenTo } from "../../platform/error-listener.ts";
import type { PgClient, PgQuery, PostgresResult } from "./client.ts";
import { type PgPool, PoolClients } from "./pool-clients.ts";
import { unref } from "../../platform/unref.ts";

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
export type PostgresRow = readonly (string | null)[];

/** The ways to the database. */
export interface PostgresLink {
  /** How the column with the keys is read, and how many characters stand before a key then. */
  readonly key: string;
  readonly guard: number;
  /** Whether all statements go through one connection, one behind the other. */
  readonly isInOrder: boolean;
  /**
   * Connects a Client that is not connected yet. @throws {KvError} KV_CONNECTION for one whose
   * connection has ended.
   */
  connect(): Promise<void>;
  /** One statement; its columns have to be texts. With `isLong` it may take as long as it needs. */
  run(text: string, values?: readonly (string | null)[], isLong?: boolean): Promise<PostgresRow[]>;
  /** Several statements, all or none of them; the rows of the last. */
  script(text: string): Promise<PostgresRow[]>;
  /** Replaces the connections of a Pool. Pending queries reject, and are not sent again. */
  replace?(): void;
}

/**
 * How long a server may take to answer, in milliseconds, unless the client says otherwise: then the
 * connection is given up, and a Pool opens another.
 */
const LONGEST = 60_000;

/**
 * How long a server may take to let its connections go, and others to give back theirs, before
 * those that hear nothing are cut.
 */
const GOODBYE = 1000;

/** Undocumented properties of pg. */
interface PgState {
  readonly pipeline?: boolean;
  readonly _ended?: boolean;
  readonly _ending?: boolean;
  readonly _queryable?: boolean;
  readonly _connectionError?: boolean;
  readonly connectionParameters?: { readonly query_timeout?: unknown };
  readonly options?: { readonly query_timeout?: unknown };
  readonly readyForQuery?: boolean;
  readonly connection?: { readonly stream?: { destroy?(): void } };
  release?(destroy: boolean): void;
}

/** Properties of a Pool. */
interface PgPoolState {
  readonly ending?: boolean;
  readonly ended?: boolean;
  readonly _clients?: readonly PgState[];
  readonly _pendingQueue?: { readonly callback: (error: Error) => void }[];
}

const endings = new WeakMap<object, Promise<void>>();
const connecting = new WeakMap<object, Promise<void>>();
const queues = new WeakMap<object, Promise<unknown>>();

/** Connects a Client that is not connected; one that is, or is about to, is left alone. */
function connect(client: PgClient): Promise<void> {
  const made =
    connecting.get(client) ??
    client.connect().then(
      () => undefined,
      (error: Error) => {
        if (!/already been connected/.test(error.message)) throw error;
      },
    );
  connecting.set(client, made);
  return made;
}

const isOver = ({ _ended, _ending, _queryable, _connectionError }: PgState): boolean =>
  _ended === true || _ending === true || _connectionError === true || _queryable === false;

const over = (cause?: unknown): KvError =>
  new KvError(
    "KV_CONNECTION",
    "the connection of this pg Client has ended, and a Client cannot connect again: pass a Pool " +
      "instead",
    cause === undefined ? {} : { cause },
  );

/**
 * One after the other: a Client has one connection, and does not like to be asked while it is busy.
 */
function inTurn<T>(client: object, task: () => Promise<T>): Promise<T> {
  const done = (queues.get(client) ?? Promise.resolve()).then(task);
  queues.set(
    client,
    done.catch(() => {}),
  );
  return done;
}

/**
 * Ends a client, once, however many stores are over it; one that its owner has ended, or is about
 * to, is left alone.
 */
export function endClient(client: PostgresClient): Promise<void> {
  const ending = endings.get(client) ?? end(client);
  endings.set(client, ending);
  return ending;
}

async function end(client: PostgresClient): Promise<void> {
  if ("exec" in client)
    return (client as { closed?: boolean }).closed === true ? undefined : client.close();
  const [state, pool] = [client as PgState, client as PgPoolState];
  // A client that was taken out of a pool goes back, and is not used again.
  if (state.release !== undefined) return state.release(true);
  if (
    state._ending === true ||
    state._ended === true ||
    pool.ending === true ||
    pool.ended === true
  )
    return;
  // Those that the pool lets go are no longer among its clients.
  const clients = [...(pool._clients ?? [state])];
  const ended = client.end();
  // The pool does not reject those that still wait for a connection.
  for (const { callback } of pool._pendingQueue?.splice(0) ?? [])
    callback(new Error("the pool was closed"));
  if (await briefly(ended)) return;
  // A connection that hears nothing would keep the process alive. One that is at rest is in the
  // hands of the pool's owner.
  for (const each of clients)
    if (each._ending === true || each.readyForQuery !== true) each.connection?.stream?.destroy?.();
}

/** Whether the work is done within a moment. Keeps no process alive. */
function briefly(work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => resolve(false), GOODBYE);
    unref(timer);
    work.then(() => (clearTimeout(timer), resolve(true)), reject);
  });
}

function pgliteLink(db: PgliteClient): PostgresLink {
  const options: PgliteOptions = { rowMode: "array", parsers: { 25: (value) => value } };
  return {
    // A byte order mark at the start of a text is lost.
    key: "'.' || key",
    guard: 1,
    isInOrder: true,
    connect: async () => {},
    run: async (text, values = []) =>
      (await db.query(text, [...values], options)).rows as PostgresRow[],
    script: async (text) => ((await db.exec(text, options)).at(-1)?.rows ?? []) as PostgresRow[],
  };
}

/** The ways to the database of a client. */
export function linkTo(client: PostgresClient): PostgresLink {
  if ("exec" in client) return pgliteLink(client);
  const state = client as PgState;
  const isPool = "idleCount" in client;
  // Without a listener an idle connection that breaks would end the process.
  listenTo(client);
  // A type parser of the user's own must not get in between; with the option "binary" texts are
  // bytes.
  const shape = { rowMode: "array", types: { getTypeParser: () => String } } as const;
  const limit = (state.options ?? state.connectionParameters)?.query_timeout
    ? {}
    : { query_timeout: LONGEST };
  const pool = isPool ? new PoolClients(client as PgPool) : null;
  const ask = async (query: PgQuery): Promise<PostgresRow[]> => {
    if (pool !== null) return rowsOf(await pool.query(query));
    if (state.pipeline === true) return rowsOf(await client.query(query));
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
    isInOrder: !isPool,
    async connect() {
      if (isPool) return;
      if (isOver(state)) throw over();
      await connect(client);
    },
    run: (text, values, isLong = false) =>
      ask({
        text,
        ...shape,
        ...(isLong ? {} : limit),
        ...(values === undefined ? {} : { values: [...values] }),
      }),
    script: (text) => ask({ text, ...shape, ...limit }),
    ...(pool && { replace: () => pool.replace() }),
  };
}

/** The rows of the last of the statements. */
function rowsOf(result: PostgresResult | PostgresResult[]): PostgresRow[] {
  return (Array.isArray(result) ? result.at(-1)! : result).rows as PostgresRow[];
}
