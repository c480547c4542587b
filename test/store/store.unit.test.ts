import { expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";

/** A client that never answers. */
const silent = (): never => {
  const never = (): Promise<never> => new Promise(() => undefined);
  return { get: never, set: never } as never;
};

const messageOf = (store: Store): Promise<string> =>
  store.get("a").then(
    () => "resolved",
    (error: Error) => error.message,
  );

it("hands its timeout to inner stores, which may have one of their own", async () => {
  const store = kv(silent(), { timeout: "20ms" }) as Store;
  const messages = await Promise.all(
    [store, store.prefix("p:"), store.expires("1h"), kv(store), kv(store, { timeout: "30ms" })].map(
      (each) => messageOf(each as Store),
    ),
  );
  const within = (time: string) => expect.stringContaining(`no answer within ${time}`);
  expect(messages).toEqual([...Array(4).fill(within("0.02 s")), within("0.03 s")]);
});

it("takes the default expiry of a promised store, unless it has one of its own", async () => {
  const base = kv(new Map(), { expires: "1h" });
  const store = kv(Promise.resolve(base)) as Store;
  const expiryOf = async (each: Store): Promise<number | null> => {
    await each.set("a", 1);
    const { expires } = (await each.entry("a"))!;
    return expires === null ? null : Math.round((expires - Date.now()) / 60_000);
  };
  expect(await expiryOf(store)).toBe(60);
  expect(await expiryOf(store.prefix("p:"))).toBe(60);
  expect(await expiryOf(store.expires("2h"))).toBe(120);
  expect(await expiryOf(store.expires(null))).toBe(null);
  expect(await expiryOf(kv(store, { expires: null }) as Store)).toBe(null);
});
