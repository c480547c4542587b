import { within } from "../../concurrency/timeout.ts";
import { listenTo } from "../../platform/error-listener.ts";
import type { Feed, Subscription } from "../adapter.ts";
import { polledFeed } from "../shared/polled-feed.ts";
import type { PgClient } from "./client.ts";
import type { PostgresLink } from "./link.ts";
import { block, literal, unescapeKey } from "./table.ts";
import { unref } from "../../platform/unref.ts";

/** How often the listening connection is asked for an answer, in milliseconds. */
const HEARTBEAT = 5000;

/** The name of the trigger and of its function, in the schema of the table. */
const NAME = "anykv_changed";

/** The advisory lock of a table's watchers: this number and the table's object id. */
const LOCK = "7020660713021571072";

const TRIGGER = `
BEGIN
  -- Watchers share this lock. A writer that gets it alone is watched by no other session.
  IF NOT pg_try_advisory_xact_lock(${LOCK} + TG_RELID::bigint) THEN
    PERFORM pg_notify('anykv:' || TG_RELID,
      CASE TG_OP WHEN 'DELETE' THEN OLD.key ELSE NEW.key END);
  END IF;
  RETURN NULL;
END`;

/** Makes the trigger of a table, unless it is there. */
const createTrigger = (table: string): string => {
  const regclass = `${literal(table)}::regclass`;
  const formatted = (text: string, ...values: string[]): string =>
    `EXECUTE (SELECT format(${[literal(text), "nspname", ...values].join(", ")}) FROM pg_class ` +
    `JOIN pg_namespace ON pg_namespace.oid = relnamespace WHERE pg_class.oid = ${regclass});`;
  return block(
    `BEGIN
      PERFORM pg_advisory_xact_lock(${LOCK});
      IF NOT EXISTS (SELECT FROM pg_trigger WHERE tgrelid = ${regclass} AND tgname = '${NAME}')
      THEN
        ${formatted(
          `CREATE OR REPLACE FUNCTION %I.${NAME}() RETURNS trigger LANGUAGE plpgsql AS %L`,
          literal(TRIGGER),
        )}
        ${formatted(
          `CREATE TRIGGER ${NAME} AFTER INSERT OR UPDATE OR DELETE ON %2$s ` +
            `FOR EACH ROW EXECUTE FUNCTION %1$I.${NAME}()`,
          regclass,
        )}
      END IF;
    END`,
  );
};

/** Removes the trigger when nothing watches the table any more. */
const dropTrigger = (table: string): string =>
  block(
    `BEGIN
      SET LOCAL lock_timeout = '500ms';
      IF pg_try_advisory_xact_lock(${LOCK} + ${literal(table)}::regclass::oid::bigint) THEN
        DROP TRIGGER IF EXISTS ${NAME} ON ${table};
      END IF;
    END`,
  );

interface Notification {
  readonly channel: string;
  readonly payload?: string;
}

/** A connection that can listen. */
interface ListeningClient extends Omit<PgClient, "query" | "on"> {
  query(text: string): Promise<{ readonly rows: readonly { readonly id?: unknown }[] }>;
  on(name: string, listener: (event: never) => void): unknown;
  removeListener(name: string, listener: (event: never) => void): unknown;
  readonly connection?: { readonly stream?: { unref?(): void; destroy?(): void } };
}

/** The part of a Pool that makes a connection of its own. */
interface PgPoolParts {
  readonly Client?: new (options: unknown) => ListeningClient;
  readonly options?: unknown;
}

const isRefused = (error: unknown): boolean =>
  // Not permitted, not supported, or a read-only server.
  ["42501", "0A000", "25006"].includes(String((error as { code?: unknown } | null)?.code));

/**
 * Changes by LISTEN and NOTIFY. A trigger of the table notifies while the table is watched: a row
 * that is written costs the writer one message then. While nothing watches, the trigger is not
 * there; a watcher that was killed leaves it, and then a written row costs one attempt at a lock in
 * memory.
 *
 * A Pool listens on a connection beside its own; a Client on its only one.
 */
export async function postgresFeed(
  client: object,
  link: PostgresLink,
  table: string,
  feed: Feed,
): Promise<Subscription> {
  const { Client, options } = client as PgPoolParts;
  const own = Client === undefined ? null : new Client(options);
  const opened = new PostgresFeed(
    own ?? (client as ListeningClient),
    own !== null,
    feed,
    async () => void (await link.script(dropTrigger(table))),
  );
  try {
    await opened.listen(link, table);
    return opened;
  } catch (error) {
    await opened.end();
    if (isRefused(error)) return polledFeed(feed);
    throw error;
  }
}

class PostgresFeed implements Subscription {
  readonly #client: ListeningClient;
  readonly #isOwn: boolean;
  readonly #feed: Feed;
  readonly #dropTrigger: () => Promise<void>;
  #channel = "";
  #lock = "";
  #timer: ReturnType<typeof setInterval> | undefined;
  #isOver = false;

  constructor(
    client: ListeningClient,
    isOwn: boolean,
    feed: Feed,
    dropTrigger: () => Promise<void>,
  ) {
    this.#client = client;
    this.#isOwn = isOwn;
    this.#feed = feed;
    this.#dropTrigger = dropTrigger;
  }

  readonly #notified = ({ channel, payload = "" }: Notification): void => {
    if (channel !== this.#channel) return;
    const key = unescapeKey(payload);
    if (key !== null) this.#feed.changed([key]);
  };

  readonly #ended = (error?: unknown): void => this.#lose(error ?? new Error("connection ended"));

  async listen(link: PostgresLink, table: string): Promise<void> {
    const [row] = await link.run(`SELECT ${literal(table)}::regclass::oid::text`);
    this.#channel = `anykv:${row![0]}`;
    this.#lock = `${LOCK} + ${row![0]}::bigint`;
    if (this.#isOwn) {
      listenTo(this.#client);
      await this.#client.connect();
      unref(this.#client.connection?.stream);
    }
    this.#client.on("notification", this.#notified);
    this.#client.on("error", this.#ended);
    this.#client.on("end", this.#ended);
    await this.#query(`SELECT pg_advisory_lock_shared(${this.#lock})`);
    await this.#query(`LISTEN "${this.#channel}"`);
    await link.script(createTrigger(table));
    this.#timer = setInterval(() => {
      within(this.#query("SELECT 1"), HEARTBEAT).catch((error) => this.#lose(error));
    }, HEARTBEAT);
    unref(this.#timer);
  }

  async #query(text: string): Promise<void> {
    await this.#client.query(text);
  }

  async close(): Promise<void> {
    await this.end();
    // A table that is locked, or a server that is away, keeps its trigger.
    await this.#dropTrigger().catch(() => {});
  }

  /** Ends the listening. */
  async end(): Promise<void> {
    this.#isOver = true;
    clearInterval(this.#timer);
    const client = this.#client;
    client.removeListener("notification", this.#notified);
    client.removeListener("error", this.#ended);
    client.removeListener("end", this.#ended);
    try {
      if (this.#isOwn) {
        client.connection?.stream?.destroy?.();
        await client.end();
      } else {
        await this.#query(`UNLISTEN "${this.#channel}"`);
        await this.#query(`SELECT pg_advisory_unlock_shared(${this.#lock})`);
      }
    } catch {
      // The connection has ended, and its lock with it.
    }
  }

  #lose(error: unknown): void {
    if (this.#isOver) return;
    void this.end();
    this.#feed.lost(error);
  }
}
