import type { Feed, Subscription } from "../adapter.ts";
import { unref } from "../../platform/unref.ts";

/** How often a client that cannot report changes is looked at, in milliseconds. */
const INTERVAL = 1000;

/** A feed that reports every second that any key may have changed. */
export function polledFeed(feed: Feed, ms: number = INTERVAL): Subscription {
  const timer = setInterval(() => feed.unknown(), ms);
  unref(timer);
  return { close: () => clearInterval(timer) };
}
