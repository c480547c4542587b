import { expect, it } from "vitest";
import type { Adapter, Feed } from "../../src/clients/adapter.ts";
import { defineClient } from "../../src/clients/define.ts";
import { supports } from "../../src/clients/manifests.ts";
import { mapAdapter } from "../../src/clients/shared/map-adapter.ts";
import { KvError } from "../../src/errors.ts";
import { contextOf } from "../../src/store/store.ts";
import kv, { type Store, type StoreWatch, type WatchEvent } from "../../src/index.ts";

/** A client that reports changes of a Map, and whose subscription can be lost. */
function reporting(map: Map<string, unknown>): {
  readonly open: () => Store<unknown>;
  readonly feeds: Feed[];
  readonly calls: { subscriptions: number; closed: number; reads: number };
  readonly outage: { isOn: boolean };
} {
  const feeds: Feed[] = [];
  const calls = { subscriptions: 0, closed: 0, reads: 0 };
  const outage = { isOn: false };
  const source = defineClient({
    type: "REPORTING",
    supports: supports({ atomic: "process", watch: "native" }),
    test: () => true,
    open(client: Map<string, unknown>): Adapter {
      const adapter = mapAdapter(client);
      return {
        ...adapter,
        getMany(keys) {
          calls.reads++;
          if (outage.isOn) throw new KvError("KV_CONNECTION", "the server is away");
          return keys.map((key) => adapter.get(key) as never);
        },
        watch(feed) {
          if (outage.isOn) throw new KvError("KV_CONNECTION", "the server is away");
          calls.subscriptions++;
          feeds.push(feed);
          return { close: () => void calls.closed++ };
        },
      };
    },
  });
  // Each client is opened anew, as by another process: they share no call order.
  return { open: () => kv(source(map), { timeout: "1s" }), feeds, calls, outage };
}

const value = ({ value }: IteratorResult<WatchEvent<unknown>, void>): unknown =>
  value?.entry?.value;

async function opened(watch: StoreWatch<unknown>): Promise<StoreWatch<unknown>> {
  await watch.ready;
  return watch;
}

it("shares one subscription among all watches, and ends it with the last", async () => {
  const { open, calls } = reporting(new Map());
  const store = open();
  const watches = Array.from({ length: 100 }, (_, i) => store.watch(`k${i % 3}`));
  await Promise.all(watches.map(({ ready }) => ready));
  expect(calls).toMatchObject({ subscriptions: 1, closed: 0 });
  await Promise.all(watches.slice(1).map((watch) => watch.close()));
  expect(calls.closed).toBe(0);
  await watches[0]!.close();
  expect(calls).toMatchObject({ subscriptions: 1, closed: 1 });
  const again = await opened(store.watch("k"));
  expect(calls.subscriptions).toBe(2);
  await again.close();
});

it("reads a changed key once for all watches, and nothing for an idle consumer", async () => {
  const map = new Map();
  const { open, feeds, calls } = reporting(map);
  const writer = kv(map);
  const store = open();
  const watches = await Promise.all(Array.from({ length: 50 }, () => opened(store.watch("a"))));
  const before = calls.reads;
  await writer.set("a", 1);
  feeds[0]!.changed(["a", "b"]);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(calls.reads).toBe(before);
  const found = await Promise.all(watches.map((watch) => watch.next()));
  expect(found.map(value)).toEqual(Array(50).fill(1));
  expect(calls.reads).toBeLessThanOrEqual(before + 2);
});

it("gives each watch a copy of its own", async () => {
  const store = kv();
  const [one, other] = [await opened(store.watch("a")), await opened(store.watch("a"))];
  await store.set("a", { list: [1] });
  const first = value(await one!.next()) as { list: number[] };
  first.list.push(2);
  expect(value(await other!.next())).toEqual({ list: [1] });
  expect(await store.get("a")).toEqual({ list: [1] });
});

it("finds changes from the time without a subscription", async () => {
  const map = new Map();
  const { open, feeds, calls, outage } = reporting(map);
  const writer = kv(map);
  await writer.setMany([
    ["a", 1],
    ["p:1", 1],
    ["p:2", 2],
  ]);
  const store = open();
  const key = await opened(store.watch("a"));
  const prefix = await opened(store.prefix("p:").watch({ prefix: "" }));
  const next = key.next();
  const changes = prefix.next();
  outage.isOn = true;
  feeds[0]!.lost(new Error("gone"));
  await writer.set("a", 2);
  await writer.del("p:1");
  await writer.set("p:3", 3);
  await new Promise((resolve) => setTimeout(resolve, 100));
  outage.isOn = false;
  expect(value(await next)).toBe(2);
  const found = [(await changes).value, (await prefix.next()).value];
  expect(found.map((change) => [change!.key, change!.entry?.value]).sort()).toEqual([
    ["1", undefined],
    ["3", 3],
  ]);
  expect(calls.subscriptions).toBe(2);
});

it("ends with KV_CONNECTION when the client stays away longer than the timeout", async () => {
  const { open, feeds, outage } = reporting(new Map());
  const watch = await opened(open().watch("a"));
  const next = watch.next();
  outage.isOn = true;
  feeds[0]!.lost(new Error("gone"));
  await expect(next).rejects.toMatchObject({ code: "KV_CONNECTION" });
  expect((await watch.next()).done).toBe(true);
});

it("answers calls of next() that are not awaited one after the other", async () => {
  const store = kv();
  const watch = await opened(store.watch(["a", "b"]));
  const both = [watch.next(), watch.next()];
  await store.setMany([
    ["a", 1],
    ["b", 2],
  ]);
  expect((await Promise.all(both)).map(value)).toEqual([1, 2]);
});

it("sees writes through prefixes, promised stores and other stores of the client", async () => {
  const map = new Map();
  const base = kv(map, { prefix: "x:" });
  const store = kv(Promise.resolve(base));
  const watch = await opened(store.watch({ prefix: "" }));
  await kv(map).set("x:a", 1);
  expect((await watch.next()).value).toMatchObject({ key: "a", entry: { key: "a", value: 1 } });
  await base.set("b", 2);
  expect((await watch.next()).value).toMatchObject({ key: "b" });
  await store.clear();
  const gone = [(await watch.next()).value, (await watch.next()).value];
  expect(gone.map((change) => change!.entry)).toEqual([null, null]);
});

it("does not end a watch for an item that this library did not write", async () => {
  const map = new Map<string, unknown>([["a", "foreign"]]);
  const store = kv(map);
  const watch = await opened(store.watch(["a", "b"]));
  await store.set("b", 1);
  expect((await watch.next()).value).toMatchObject({ key: "b" });
});

it("listens to no writes after a watch that was closed before the client was open", async () => {
  let open = (): void => {};
  const opening = new Promise<Map<string, unknown>>((resolve) => {
    open = () => resolve(new Map());
  });
  const store = kv(opening);
  const watch = store.watch("a");
  const closed = watch.close();
  open();
  await closed;
  await store.set("a", 1);
  await new Promise((resolve) => setTimeout(resolve));
  const { connection } = contextOf(store)!;
  expect(connection.order.isHeard).toBe(false);
  expect(connection.order.pending).toBe(0);
});

it("reports keys that come and go under a prefix, again and again", async () => {
  const store = kv();
  const watch = await opened(store.watch({ prefix: "" }));
  for (let i = 0; i < 5; i++) {
    await store.set("a", i);
    expect(value(await watch.next())).toBe(i);
    await store.del("a");
    expect((await watch.next()).value).toEqual({ key: "a", entry: null });
  }
});
