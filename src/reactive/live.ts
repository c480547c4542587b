import type { KvError } from "../errors.ts";
import type { Backend, RowChange, Memory } from "./backend.ts";
import { kindOf } from "./copy.ts";

/** Rows that others have too. */
export interface Shared extends Omit<Backend, "write" | "look"> {
  /** The name under which those who have the same rows tell each other of changes. */
  readonly channel: string;
  /** How often changes that nobody tells of are looked for, in milliseconds; 0 for never. */
  readonly interval: number;
  /** In the order of the keys, with `undefined` for what is not there. */
  read(keys: readonly string[]): Promise<unknown[]>;
  /**
   * All of them or none. Calls `sent` once they are on their way, whatever happens to this page.
   * Resolves to the rows that beginnings gave way to.
   */
  write(changes: readonly RowChange[], sent: () => void): Promise<readonly RowChange[]>;
  /**
   * Makes the changes of a page that left, where they are missing. For browsers that abort them.
   */
  takeOver?(changes: readonly News[]): Promise<unknown>;
}

/** What one tab tells the others: the key of a change, or all of it when the page is leaving. */
export type News = readonly [key: string, value?: unknown, before?: unknown];

/**
 * A browser frees the room for what it has refused a moment later: so many milliseconds are given
 * it.
 */
const PAUSE = 50;

/** Whether two values hold the same. Those with parts of other kinds than these never do. */
export function isEqual(
  a: unknown,
  b: unknown,
  seen: Map<unknown, unknown> = new Map<unknown, unknown>(),
): boolean {
  // In a circle, what is being compared counts as the same until it turns out not to be.
  if (Object.is(a, b) || (seen.has(a) && seen.get(a) === b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  seen.set(a, b);
  const kind = kindOf(a);
  if (kind !== kindOf(b)) return false;
  if (kind === "Date") return isEqual(+a, +b);
  if (kind === "ArrayBuffer")
    return isEqual(new Uint8Array(a as ArrayBuffer), new Uint8Array(b as ArrayBuffer));
  if (kind === "RegExp" || kind.startsWith("URL")) return String(a) === String(b);
  if (kind === "Map" || kind === "Set")
    return isEqual([...(a as Set<unknown>)], [...(b as Set<unknown>)], seen);
  if (!ArrayBuffer.isView(a) && kind !== "Object" && kind !== "Array") return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length &&
    keys.every(
      (key) =>
        Object.hasOwn(b, key) &&
        isEqual(
          (a as { [key: string]: unknown })[key],
          (b as { [key: string]: unknown })[key],
          seen,
        ),
    )
  );
}

/**
 * Has those who have the same rows hear of changes: other tabs by a channel, everybody else by
 * looking.
 */
export function live(rows: Shared, memory: Memory): Backend {
  let channel: BroadcastChannel | undefined;
  let polling: ReturnType<typeof setInterval> | undefined;
  let looking: Promise<void> | undefined;
  const asked: string[] = [];
  let loading: Promise<unknown> | undefined;
  let isLeaving = false;
  /** Writes that the client has, without an answer so far. */
  const onTheirWay = new Set<readonly News[]>();

  const announce = (keys: string[]): void => channel?.postMessage(keys.map((key) => [key]));

  /** A page that leaves gets no answer to its writes. The other tabs see to them. */
  function handOver(): void {
    if (isLeaving) for (const news of onTheirWay) channel?.postMessage(news);
  }

  async function hear(news: readonly News[]): Promise<void> {
    try {
      await loading;
      if (news[0]?.length === 3) await rows.takeOver?.(news);
    } catch {
      // Another tab may do it; what is stored is shown in any case.
    }
    await look(
      news.map(([key]) => key),
      true,
    );
  }

  /** Reads rows again, once they were loaded. What is not there counts as removed if `isWhole`. */
  async function look(keys: readonly string[], isWhole: boolean): Promise<void> {
    if (keys.length === 0) return;
    try {
      await loading;
      const values = await rows.read(keys);
      for (const [i, key] of keys.entries()) {
        if ((isWhole || values[i] !== undefined) && !isEqual(values[i], memory.known(key)))
          memory.heard(key, values[i]);
      }
    } catch {
      // It is read with the next news; whoever writes is told.
    }
  }

  const hide = (): void => {
    isLeaving = true;
    memory.send();
    handOver();
  };
  const turn = (): void => {
    if (document.visibilityState === "hidden") return hide();
    isLeaving = false;
    // A page that ended in the middle of a write may not have told of it.
    void look(memory.used(), false);
  };

  function listen(): void {
    // Where there is no IndexedDB there are no tabs either, but programs that a channel would keep
    // alive.
    if (typeof BroadcastChannel === "function" && globalThis.indexedDB) {
      channel = new BroadcastChannel(rows.channel);
      channel.onmessage = ({ data }: MessageEvent<readonly News[]>) => void hear(data);
      (channel as { unref?: () => void }).unref?.();
    }
    globalThis.addEventListener?.("pagehide", hide);
    globalThis.addEventListener?.("visibilitychange", turn);
    // A time that is longer than timers can count would be none at all.
    if ((rows.interval | 0) > 0) {
      polling = setInterval(() => void look(memory.used(), true), rows.interval);
      (polling as { unref?: () => void }).unref?.();
    }
  }

  listen();
  return {
    load() {
      const found = rows.load();
      loading = found;
      return found;
    },
    async write(changes, isLast, settle) {
      const attempt = async (indexes: readonly number[]): Promise<void> => {
        const some = indexes.map((i) => changes[i]!);
        const keys = some.map(([key]) => key);
        const news = some.map(([key, value]): News => [key, value, memory.known(key)]);
        const sent = (): void => {
          onTheirWay.add(news);
          handOver();
        };
        const found = await rows.write(some, sent).finally(() => onTheirWay.delete(news));
        for (const i of indexes) settle(i);
        for (const [key, value] of found) memory.heard(key, value);
        announce(keys);
      };
      const all = [...changes.keys()];
      let refusal: KvError | undefined;
      // A beginning waits for what is there: a page that goes has no time for that.
      const parts = isLeaving
        ? [all.filter((i) => !changes[i]![2]), all.filter((i) => changes[i]![2])].filter(
            ({ length }) => length,
          )
        : [all];
      await Promise.all(parts.map(attempt)).catch((error: KvError) => (refusal = error));
      if (refusal === undefined) return;
      // Without an outage one of them was refused, and the others need not be.
      const isOver =
        all.length === 1 || refusal.code === "KV_CONNECTION" || refusal.code === "KV_CLOSED";
      for (const i of all) {
        let error: KvError | undefined = refusal;
        if (!isOver && refusal.code === "KV_QUOTA")
          await new Promise((resolve) => setTimeout(resolve, PAUSE));
        if (!isOver && isLast(i))
          error = await attempt([i]).then(
            () => undefined,
            (cause: KvError) => (refusal = cause),
          );
        if (error !== undefined) settle(i, error);
      }
      throw refusal;
    },
    look(key) {
      if (!rows.interval) return;
      asked.push(key);
      // Once for all that are asked for in a turn.
      return (looking ??= loading!.then(() => {
        looking = undefined;
        return look(asked.splice(0), true);
      }));
    },
    async close() {
      channel?.close();
      clearInterval(polling);
      globalThis.removeEventListener?.("pagehide", hide);
      globalThis.removeEventListener?.("visibilitychange", turn);
      await rows.close();
    },
  };
}
