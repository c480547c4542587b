import { Bot, type Context, session, type SessionFlavor } from "grammy";
import { type Context as TelegrafContext, session as telegrafSession, Telegraf } from "telegraf";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import type { SessionsOptions } from "../../src/session/index.ts";
import { grammyStorage } from "../../src/with/grammy/index.ts";
import { telegrafSessionStore } from "../../src/with/telegraf/index.ts";
import { INTEGRATION_STORES } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

type Data = { [name: string]: unknown };
type Options = Omit<SessionsOptions, "tombstone">;

/** Sends a text of a chat to a bot. Resolves when the bot has handled it. */
type Send = (chat: number, text: string) => Promise<unknown>;

const NOTHING = (): Promise<unknown> => Promise.resolve();

let updates = 0;
const updateOf = (chat: number, text: string): never =>
  ({
    update_id: ++updates,
    message: {
      message_id: updates,
      date: 0,
      text,
      chat: { id: chat, type: "private", first_name: "Ann" },
      from: { id: chat, is_bot: false, first_name: "Ann" },
    },
  }) as never;

const ME = { id: 1, is_bot: true, first_name: "bot", username: "bot" } as never;

/** Does what a text says to a session: "reset", or a member to set. */
async function handle(
  ctx: { session: Data },
  text: string,
  meanwhile: () => Promise<unknown>,
): Promise<void> {
  if (text === "reset") ctx.session = undefined as never;
  else ctx.session[text] = true;
  if (text === "slow") await meanwhile();
}

function grammyBot(store: Store, options?: Options, meanwhile = NOTHING): Send {
  const bot = new Bot<Context & SessionFlavor<Data>>("1:token", { botInfo: ME });
  bot.use(session({ initial: (): Data => ({}), storage: grammyStorage<Data>(store, options) }));
  bot.on("message:text", (ctx) => handle(ctx, ctx.message.text, meanwhile));
  return (chat, text) => bot.handleUpdate(updateOf(chat, text));
}

function telegrafBot(store: Store, options?: Options, meanwhile = NOTHING): Send {
  const bot = new Telegraf<TelegrafContext & { session: Data }>("1:token");
  bot.botInfo = ME;
  bot.catch((error) => {
    throw error;
  });
  bot.use(
    telegrafSession({
      store: telegrafSessionStore<Data>(store, options),
      defaultSession: (): Data => ({}),
    }),
  );
  bot.on("text", (ctx) => handle(ctx, ctx.message.text, meanwhile));
  return (chat, text) => bot.handleUpdate(updateOf(chat, text));
}

describe.each(INTEGRATION_STORES)("sessions of bots on %s", (_, open) => {
  it.each([
    ["grammY", grammyBot, "1"],
    ["Telegraf", telegrafBot, "1:1"],
  ] as const)("of %s are kept for each chat, deleted and begun again", async (name, make, key) => {
    const store = (await open()).prefix(`${name}:`);
    const send = make(store);
    await send(1, "a");
    await send(1, "b");
    await send(2, "c");
    expect(await store.get(key)).toEqual({ a: true, b: true });
    expect((await store.entry(key))!.expires).toBe(null);
    await send(1, "reset");
    expect(await store.has(key)).toBe(false);
    await send(1, "d");
    expect(await store.get(key)).toEqual({ d: true });
  });

  it.each([
    ["grammY", grammyBot, "1"],
    ["Telegraf", telegrafBot, "1:1"],
  ] as const)("of %s merge what two processes save at once", async (name, make, key) => {
    const store = (await open()).prefix(`merge ${name}:`);
    const other = make(store, { onConflict: "merge", expires: "1d" });
    const send = make(store, { onConflict: "merge", expires: "1d" }, () => other(1, "b"));
    await send(1, "a");
    await send(1, "slow");
    expect(await store.get(key)).toEqual({ a: true, b: true, slow: true });
    expect((await store.entry(key))!.expires).not.toBe(null);
  });

  it("of grammY can be listed", async () => {
    const store = (await open()).prefix("list:");
    const storage = grammyStorage<number>(store);
    await storage.write("a", 1);
    await storage.write("b", 2);
    const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
      const found: T[] = [];
      for await (const item of items) found.push(item);
      return found.sort();
    };
    expect(await all(storage.readAllKeys())).toEqual(["a", "b"]);
    expect(await all(storage.readAllValues())).toEqual([1, 2]);
    expect(await all(storage.readAllEntries())).toEqual([
      ["a", 1],
      ["b", 2],
    ]);
    expect([await storage.has("a"), await storage.has("c")]).toEqual([true, false]);
    expect(await storage.read("c")).toBe(undefined);
    await storage.delete("a");
    expect(await storage.read("a")).toBe(undefined);
  });
});

describe("sessions of bots", () => {
  it("hand the error of a store to the bot", async () => {
    for (const make of [grammyBot, telegrafBot])
      await expect(make(kv(failingClient() as never))(1, "a")).rejects.toMatchObject(
        make === grammyBot ? { error: { code: "KV_CONNECTION" } } : { code: "KV_CONNECTION" },
      );
  });

  it("reject wrong options at once", () => {
    for (const make of [grammyStorage, telegrafSessionStore])
      for (const wrong of [{ ttl: 5 }, { tombstone: "1h" }])
        expect(() => make(kv(), wrong as never)).toThrow(
          expect.objectContaining({ code: "KV_INVALID_VALUE" }) as Error,
        );
  });
});
