import { KvError } from "../../errors.ts";
import { keyedLock, type KeyedLock } from "../../concurrency/keyed-lock.ts";
import { UNSTORAGE } from "../manifests.ts";
import { adapterOf, type ItemWrite } from "../shared/items.ts";
import { mountBase, type DriverOptions, textFor, textIn, ttlOption } from "./items.ts";
import { itemName, keyOfItem } from "./key.ts";
import { type ClientFactory, defineClient } from "../define.ts";
import type { Adapter, Feed, Subscription } from "../adapter.ts";

/** The used part of a storage that `createStorage()` returns. */
export interface UnstorageLike {
  getItem(key: string): Promise<unknown>;
  setItem(key: string, value: string, options?: DriverOptions): Promise<void>;
  removeItem(key: string): Promise<void>;
  getKeys(base?: string): Promise<string[]>;
  getItems(keys: string[]): Promise<{ key: string; value: unknown }[]>;
  setItems(items: { key: string; value: string; options?: DriverOptions }[]): Promise<void>;
  getMounts(
    base: string,
    options: { parents: boolean },
  ): { driver: { name?: string; setItem?: unknown; options?: unknown } }[];
  watch?(
    changed: (event: "update" | "remove", key: string) => void,
  ): Promise<() => Promise<void> | void>;
  dispose(): Promise<void>;
}

/** Options of {@link unstorage}. */
export interface UnstorageOptions {
  /** Keep everything below this base, e.g. that of a mount: `"cache"`. Default `""`. */
  base?: string;
}

/** How many items a listing reads at once. */
const BATCH = 100;

// One lock a storage, whatever the base: names are whole.
const locks = new WeakMap<object, KeyedLock>();

// One object a storage and base: stores over the same one share their known deadlines.
const owners = new WeakMap<object, Map<string, object>>();

function ownerOf(storage: object, before: string): object {
  const ofStorage = owners.get(storage) ?? new Map<string, object>();
  owners.set(storage, ofStorage);
  const owner = ofStorage.get(before) ?? {};
  ofStorage.set(before, owner);
  return owner;
}

/**
 * Keeps records in an unstorage (what `createStorage()` returns), on any mounted drivers: one item
 * a key, as JSON text. A missing key is `null`, deadlines are exact, and values come back as they
 * were, also where unstorage would guess at them. A driver that takes a `ttl` gets the deadline
 * too, a minute later.
 *
 * unstorage changes keys (`/`, `\` and `?` in them, for example), so items have names of their own:
 * `user:1` is `user%3a1.json`, behind the base. Items of other names, and those that this library
 * did not write, are left alone. A listing asks the drivers for all their names at once.
 *
 * Not promised: `commit` holds among the stores over the same storage in this process
 * (`supports.atomic` is `"process"`), not across processes, and a commit of several keys that an
 * outage interrupts is only taken back while the driver still answers. A value that a driver drops
 * itself (a `ttl` of its own, a file cut short by a crash) is lost, and another process may read a
 * half-written file.
 *
 * @throws {KvError} KV_INVALID_CLIENT for a base with `?` or dot segments, KV_NOT_SUPPORTED for a
 * write where all drivers are read-only.
 * @example
 * import { createStorage } from "unstorage";
 * import kv from "anykv";
 *
 * const store = kv(createStorage());
 * await store.set("key1", { hello: "world" }, { expires: "1h" });
 * console.log(await store.get("key1")); // { hello: "world" }
 */
export const unstorage: ClientFactory<UnstorageLike, UnstorageOptions> = defineClient({
  ...UNSTORAGE,
  options: ["base"],
  open(storage: UnstorageLike, { base = "" }: UnstorageOptions): Adapter {
    const before = mountBase(base);
    const lock = locks.get(storage) ?? keyedLock();
    locks.set(storage, lock);
    const nameOf = (key: string): string => before + itemName(key);
    const mounts = storage.getMounts(base, { parents: true });
    const isReadOnly = mounts.length > 0 && mounts.every(isMountReadOnly);
    // These drivers do not report a failed deletion.
    const isQuiet = mounts.some(({ driver: { name } }) => name === "fs" || name === "fs-lite");

    const read = (names: readonly string[]): Promise<unknown[]> => readItems(storage, names);
    async function remove(name: string): Promise<void> {
      await storage.removeItem(name);
      if (isQuiet && (await storage.getItem(name)) !== null)
        throw new Error("the driver could not delete the item");
    }
    async function write(writes: readonly ItemWrite[]): Promise<void> {
      if (isReadOnly)
        throw new KvError("KV_NOT_SUPPORTED", "the drivers of this storage are read-only");
      const items = writes
        .filter(({ item }) => item !== null && item !== undefined)
        .map((each) => toItem(nameOf(each.key), each));
      const removed = writes.filter(({ item }) => item === null || item === undefined);
      const [first] = items;
      if (items.length > 1) await storage.setItems(items);
      else if (first !== undefined) await storage.setItem(first.key, first.value, first.options);
      await Promise.all(removed.map(({ key }) => remove(nameOf(key))));
    }
    const adapter = adapterOf(
      {
        read: (keys) => read(keys.map(nameOf)),
        write,
        async *list(prefix) {
          const names = new Set(await storage.getKeys(before));
          const keys = [...names]
            .map((name) => (name.startsWith(before) ? keyOfItem(name.slice(before.length)) : null))
            .filter((key) => key?.startsWith(prefix)) as string[];
          for (let i = 0; i < keys.length; i += BATCH) {
            const batch = keys.slice(i, i + BATCH);
            const items = await lock(batch, () => read(batch.map(nameOf)));
            for (const [j, key] of batch.entries()) yield [key, items[j]];
          }
        },
        close: () => storage.dispose(),
      },
      lock,
      ownerOf(storage, before),
    );
    return { ...adapter, watch: (feed) => driverFeed(storage, before, feed) };
  },
});

/** Changes that some drivers report. All drivers are looked at in intervals, too. */
async function driverFeed(
  storage: UnstorageLike,
  before: string,
  feed: Feed,
): Promise<Subscription> {
  const stop = await storage.watch?.((_event, name) => {
    const key = name.startsWith(before) ? keyOfItem(name.slice(before.length)) : null;
    if (key !== null) feed.changed([key]);
  });
  return { close: async () => stop?.() };
}

const isMountReadOnly = ({ driver }: ReturnType<UnstorageLike["getMounts"]>[number]): boolean =>
  driver.setItem === undefined ||
  (driver.options as { readOnly?: boolean } | undefined)?.readOnly === true;

const toItem = (
  name: string,
  { item, expires }: ItemWrite,
): { key: string; value: string; options: DriverOptions } => ({
  key: name,
  value: textFor(item),
  options: ttlOption(expires),
});

async function readItems(storage: UnstorageLike, names: readonly string[]): Promise<unknown[]> {
  if (names.length === 1) return [textIn(await storage.getItem(names[0]!))];
  const found = new Map((await storage.getItems([...names])).map(({ key, value }) => [key, value]));
  return names.map((name) => textIn(found.get(name)));
}
