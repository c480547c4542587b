import { issuer } from "@openauthjs/openauth";
import { createSubjects } from "@openauthjs/openauth/subject";
import { object, string } from "valibot";
import { beforeAll, describe, expect, it, vi } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { openauthStorage } from "../../src/with/openauth/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient } from "../support/plain-client.ts";

const subjects = createSubjects({ user: object({ id: string() }) });

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
}

/** An issuer whose provider believes every client. */
function server(store: Store) {
  const app = issuer({
    subjects,
    storage: openauthStorage(store, { prefix: "auth:" }) as never,
    providers: {
      machine: { type: "machine", init: () => undefined, client: async () => ({ id: "ann" }) },
    } as never,
    success: async (context) => context.subject("user", { id: "ann" }),
  });
  const token = (fields: { [name: string]: string }) =>
    app.request("http://localhost/token", {
      method: "POST",
      headers: { "content-type": "application/x-www-form-urlencoded" },
      body: new URLSearchParams({ client_id: "a", client_secret: "b", ...fields }).toString(),
    });
  const login = () => token({ grant_type: "client_credentials", provider: "machine" });
  const refresh = (text: string) => token({ grant_type: "refresh_token", refresh_token: text });
  const keys = async () =>
    (await (await app.request("http://localhost/.well-known/jwks.json")).json()) as object;
  return { login, refresh, keys };
}

let prefixes = 0;
// OpenAuth prints every request.
beforeAll(() => void vi.spyOn(console, "log").mockReturnValue());

describe.each(INTEGRATION_STORES)("OpenAuth on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`oa${prefixes++}:`);

  it("refreshes a token at another server, which has the same keys", async () => {
    const store = await fresh();
    const one = server(store);
    const first = (await (await one.login()).json()) as Tokens;
    const two = server(store);
    expect(await two.keys()).toEqual(await one.keys());
    const answer = await two.refresh(first.refresh_token);
    expect(answer.status).toBe(200);
    const second = (await answer.json()) as Tokens;
    expect(second.refresh_token).not.toBe(first.refresh_token);
    const expiries = (await store.list({ prefix: "auth:oauth:refresh" })).entries;
    expect(expiries.length).toBeGreaterThan(0);
    expect(expiries.every(({ expires }) => expires! > Date.now())).toBe(true);
    expect((await two.refresh("ann:unknown")).status).toBe(400);
  });

  it("scans below a key alone, and ends records", async () => {
    const storage = openauthStorage(await fresh());
    await storage.set(["user", "a"], { n: 1 });
    await storage.set(["user", "a", "x"], { n: 2 });
    await storage.set(["user", "ab", "x"], { n: 3 });
    await storage.set(["user", "a", "short"], { n: 4 }, new Date(Date.now() + 50));
    const scan = async (prefix: string[]) => {
      const found: unknown[] = [];
      for await (const entry of storage.scan(prefix)) found.push(entry);
      return found;
    };
    await expect.poll(() => scan(["user", "a"])).toEqual([[["user", "a", "x"], { n: 2 }]]);
    expect((await scan([])).length).toBe(3);
    await storage.remove(["user", "a"]);
    expect(await storage.get(["user", "a"])).toBe(undefined);
  });
});

describe("OpenAuth", () => {
  it("gets the errors of a store that is down", async () => {
    const storage = openauthStorage(kv(failingClient() as never));
    await expect(storage.get(["a"])).rejects.toThrow(withCode("KV_CONNECTION"));
    await expect(storage.set(["a"], {})).rejects.toThrow(withCode("KV_CONNECTION"));
  });

  it("rejects wrong options at once", () => {
    expect(() => openauthStorage(kv(), { ttl: 5 } as never)).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => openauthStorage(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
  });
});
