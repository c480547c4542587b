import type { Feed, Subscription } from "../adapter.ts";
import type { SqliteClient } from "./handle.ts";
import { unref } from "../../platform/unref.ts";

/** How often the database is asked whether another connection has written, in milliseconds. */
const INTERVAL = 50;

/**
 * Reports that another connection has committed something, by `PRAGMA data_version`: a number in
 * memory that the asking costs no read of the disk. Writers pay nothing. Which keys have changed is
 * found by comparing versions.
 */
export function dataVersionFeed(db: SqliteClient, feed: Feed): Subscription {
  const statement = db.prepare("PRAGMA data_version");
  const read = (): unknown => Object.values(statement.get() as object)[0];
  let last = read();
  const timer = setInterval(() => {
    try {
      const version = read();
      if (version === last) return;
      last = version;
    } catch (error) {
      clearInterval(timer);
      feed.lost(error);
      return;
    }
    feed.unknown();
  }, INTERVAL);
  unref(timer);
  return { close: () => clearInterval(timer) };
}
