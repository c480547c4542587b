import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { describe, expect, it } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { betterAuthStorage } from "../../src/with/better-auth/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";

const ORIGIN = "http://localhost:3000";

/** An auth server over a store, and a function that sends a request to it. */
function server(store: Store, limit = 1000) {
  const auth = betterAuth({
    baseURL: ORIGIN,
    secret: "a secret of at least 32 characters in a test",
    database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
    secondaryStorage: betterAuthStorage(store),
    emailAndPassword: { enabled: true },
    rateLimit: { enabled: true, window: 60, max: limit, customRules: {} },
    advanced: { ipAddress: { ipAddressHeaders: ["x-client"] } },
    logger: { disabled: true },
    telemetry: { enabled: false },
  });
  return async (path: string, body?: object, cookie = ""): Promise<Response> =>
    auth.handler(
      new Request(`${ORIGIN}/api/auth${path}`, {
        method: body === undefined ? "GET" : "POST",
        headers: {
          "content-type": "application/json",
          origin: ORIGIN,
          "x-client": "192.0.2.1",
          cookie,
        },
        body: body === undefined ? null : JSON.stringify(body),
      }),
    );
}

const ANN = { name: "Ann", email: "ann@example.com", password: "a long password" };

const cookieOf = (response: Response): string =>
  response.headers
    .getSetCookie()
    .map((line) => line.split(";")[0])
    .join("; ");

let prefixes = 0;

describe.each(INTEGRATION_STORES)("better-auth on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`auth${prefixes++}:`);

  it("keeps a session in the store until the person signs out", async () => {
    const store = await fresh();
    const send = server(store);
    const signedUp = await send("/sign-up/email", ANN);
    expect(signedUp.status).toBe(200);
    const cookie = cookieOf(signedUp);
    const session = (await (await send("/get-session", undefined, cookie)).json()) as {
      user: { email: string };
      session: { token: string };
    };
    expect(session.user.email).toBe(ANN.email);
    const entry = await store.entry(session.session.token);
    expect(entry?.expires).toBeGreaterThan(Date.now());
    expect((await send("/sign-out", {}, cookie)).status).toBe(200);
    expect(await store.has(session.session.token)).toBe(false);
    expect(await (await send("/get-session", undefined, cookie)).json()).toBe(null);
  });

  it("lets exactly `max` of many requests at once pass", async () => {
    const send = server(await fresh(), 5);
    const answers = await Promise.all(Array.from({ length: 20 }, () => send("/ok")));
    expect(answers.filter(({ status }) => status === 200).length).toBe(5);
    expect(answers.filter(({ status }) => status === 429).length).toBe(15);
  });

  it("counts without losing one, in a window that does not move", async () => {
    const store = await fresh();
    const storage = betterAuthStorage(store);
    const counts = await Promise.all(Array.from({ length: 50 }, () => storage.increment("n", 60)));
    expect(counts.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i + 1));
    const { expires } = (await store.entry("n"))!;
    await storage.increment("n", 3600);
    expect((await store.entry("n"))!.expires).toBe(expires);
    expect(await storage.get("n")).toBe("51");
  });

  it("gives a value to one of many takers", async () => {
    const storage = betterAuthStorage(await fresh());
    await storage.set("token", "secret", 60);
    const taken = await Promise.all(
      Array.from({ length: 50 }, () => storage.getAndDelete("token")),
    );
    expect(taken.filter((value) => value !== null)).toEqual(["secret"]);
  });

  it("ends values after their ttl in seconds", async () => {
    const storage = betterAuthStorage(await fresh());
    await storage.set("short", "a", 0.05);
    await storage.set("ever", "a");
    await expect.poll(() => storage.get("short")).toBe(null);
    expect(await storage.get("ever")).toBe("a");
    await storage.delete("ever");
    expect(await storage.get("ever")).toBe(null);
  });
});

describe("better-auth", () => {
  it("rejects requests while the store is down", async () => {
    const send = server(kv(failingClient() as never));
    await expect(send("/sign-up/email", ANN)).rejects.toThrow(withCode("KV_CONNECTION"));
  });

  it("rejects stores without compare-and-set, and wrong options, at once", () => {
    expect(() => betterAuthStorage(kv(plainClient()))).toThrow(withCode("KV_NOT_SUPPORTED"));
    expect(() => betterAuthStorage(kv(), { ttl: 5 } as never)).toThrow(
      withCode("KV_INVALID_VALUE"),
    );
    expect(() => betterAuthStorage(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
