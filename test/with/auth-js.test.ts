import { Auth } from "@auth/core";
import type { Adapter, AdapterAccount } from "@auth/core/adapters";
import { beforeAll, describe, expect, it, vi } from "vitest";
import { rich } from "../../src/codec.ts";
import kv, { type Store } from "../../src/index.ts";
import { authJsAdapter } from "../../src/with/auth-js/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";
import { Visitor } from "../support/web-app.ts";

const WEEK = 7 * 86_400_000;
const later = (ms: number): Date => new Date(Date.now() + ms);

type Whole = Required<Adapter>;
/** The adapter as Auth.js sees it. */
const adapterOver = (store: Store): Whole => {
  const adapter: Adapter = authJsAdapter(store, { prefix: "auth:" });
  return adapter as Whole;
};

const accountOf = (userId: string, providerAccountId: string): AdapterAccount => ({
  userId,
  providerAccountId,
  provider: "github",
  type: "oauth",
  access_token: "a token",
  expires_at: 5,
});

/** An Auth.js server that "sends" magic links to `links`. */
function server(store: Store) {
  const links: string[] = [];
  const errors: unknown[] = [];
  const handle = (request: Request): Promise<Response> =>
    Auth(request, {
      adapter: adapterOver(store),
      basePath: "/auth",
      secret: "a secret of at least 32 characters",
      trustHost: true,
      session: { strategy: "database" },
      logger: { error: (error) => void errors.push(error) },
      providers: [
        {
          id: "email",
          type: "email",
          name: "Email",
          from: "auth@example.com",
          maxAge: 3600,
          sendVerificationRequest: ({ url }: { url: string }) => void links.push(url),
        } as never,
      ],
    });
  return { handle, links, errors };
}

/** A person with a browser that talks to the handler itself. */
class Person extends Visitor {
  readonly #handle: (request: Request) => Promise<Response>;

  constructor(handle: (request: Request) => Promise<Response>) {
    super("http://localhost");
    this.#handle = handle;
  }

  async open(path: string, fields?: { [name: string]: string }): Promise<Response> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await this.#handle(
      new Request(new URL(path, "http://localhost"), {
        headers: { cookie, ...(fields && { "content-type": "application/x-www-form-urlencoded" }) },
        ...(fields && { method: "POST", body: new URLSearchParams(fields).toString() }),
      }),
    );
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === "") this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
    return response;
  }

  async post(path: string, fields: { [name: string]: string } = {}): Promise<Response> {
    const { csrfToken } = (await (await this.open("/auth/csrf")).json()) as { csrfToken: string };
    return this.open(path, { csrfToken, ...fields });
  }

  async user(): Promise<string | undefined> {
    const session = (await (await this.open("/auth/session")).json()) as {
      user?: { email: string };
    } | null;
    return session?.user?.email;
  }
}

let prefixes = 0;
beforeAll(() => void vi.spyOn(console, "warn").mockReturnValue());

describe.each(INTEGRATION_STORES)("Auth.js on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`aj${prefixes++}:`);
  const person = async (adapter: Whole, id = "1") =>
    adapter.createUser({ id, name: "Ann", email: `ann${id}@example.com`, emailVerified: null });

  it("logs in by a magic link, which works once, and logs out", async () => {
    const { handle, links, errors } = server(await fresh());
    const ann = new Person(handle);
    await ann.post("/auth/signin/email", { email: "ann@example.com" });
    expect(links.length).toBe(1);
    const others = [ann, new Person(handle), new Person(handle), new Person(handle)];
    const answers = await Promise.all(others.map((one) => one.open(links[0]!)));
    const failed = answers.filter(({ headers }) => headers.get("location")!.includes("error"));
    expect(failed.length).toBe(3);
    const users = await Promise.all(others.map((one) => one.user()));
    expect(users.filter((email) => email === "ann@example.com").length).toBe(1);
    expect(errors.length).toBe(3);
    const inside = others[users.findIndex((email) => email !== undefined)]!;
    const stolen = new Map(inside.cookies);
    await inside.post("/auth/signout");
    expect(await inside.user()).toBe(undefined);
    const thief = new Person(handle);
    for (const [name, value] of stolen) thief.cookies.set(name, value);
    expect(await thief.user()).toBe(undefined);
  });

  it("keeps users, whose Dates are Dates", async () => {
    const adapter = adapterOver(await fresh());
    const verified = new Date(Date.now());
    const user = await adapter.createUser({
      id: "1",
      email: "ann@example.com",
      emailVerified: verified,
      image: null,
    });
    expect(await adapter.getUser("1")).toEqual(user);
    expect((await adapter.getUserByEmail("ann@example.com"))!.emailVerified).toEqual(verified);
    expect(await adapter.updateUser({ id: "1", name: "Ann" })).toEqual({ ...user, name: "Ann" });
    await adapter.updateUser({ id: "1", email: "new@example.com" });
    expect(await adapter.getUserByEmail("ann@example.com")).toBe(null);
    expect((await adapter.getUserByEmail("new@example.com"))!.name).toBe("Ann");
    expect(await adapter.getUser("2")).toBe(null);
    await expect(adapter.updateUser({ id: "2", name: "Bob" })).rejects.toThrow(
      withCode("KV_CONFLICT"),
    );
  });

  it("never gives one email address to two users", async () => {
    const adapter = adapterOver(await fresh());
    const create = (id: number) =>
      adapter.createUser({ id: `${id}`, email: "ann@example.com", emailVerified: null });
    const results = await Promise.allSettled(Array.from({ length: 20 }, (_, i) => create(i)));
    expect(results.filter(({ status }) => status === "fulfilled").length).toBe(1);
    const bob = await person(adapter, "bob");
    await expect(adapter.updateUser({ id: bob.id, email: "ann@example.com" })).rejects.toThrow(
      withCode("KV_CONFLICT"),
    );
    // A provider may tell no address.
    for (const id of ["x", "y"])
      await adapter.createUser({ id, email: null as never, emailVerified: null });
  });

  it("links an account to one user", async () => {
    const adapter = adapterOver(await fresh());
    const [ann, bob] = [await person(adapter, "1"), await person(adapter, "2")];
    const results = await Promise.allSettled(
      [ann, bob].map(({ id }) => adapter.linkAccount(accountOf(id, "42"))),
    );
    expect(results.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    const account = { provider: "github", providerAccountId: "42" };
    const owner = (await adapter.getUserByAccount(account))!;
    // A new login of the same user renews the tokens.
    const renewed = { ...accountOf(owner.id, "42"), access_token: "another" };
    await adapter.linkAccount(renewed);
    expect(await adapter.getAccount("42", "github")).toEqual(renewed);
    expect(await adapter.getAccount("42", "gitlab")).toBe(null);
    await adapter.unlinkAccount(account);
    expect(await adapter.getUserByAccount(account)).toBe(null);
  });

  it("keeps sessions until they end", async () => {
    const adapter = adapterOver(await fresh());
    const user = await person(adapter);
    const session = { sessionToken: "s", userId: "1", expires: later(WEEK) };
    await adapter.createSession(session);
    expect(await adapter.getSessionAndUser("s")).toEqual({ session, user });
    const expires = later(2 * WEEK);
    expect(await adapter.updateSession({ sessionToken: "s", expires })).toEqual({
      ...session,
      expires,
    });
    await adapter.updateSession({ sessionToken: "s", expires: later(50) });
    await expect.poll(() => adapter.getSessionAndUser("s")).toBe(null);
    expect(await adapter.updateSession({ sessionToken: "s", expires })).toBe(null);
    await adapter.createSession({ ...session, sessionToken: "t" });
    await adapter.deleteSession("t");
    await adapter.deleteSession("t");
    // A request that ends after the logout.
    expect(await adapter.updateSession({ sessionToken: "t", expires })).toBe(null);
    expect(await adapter.getSessionAndUser("t")).toBe(null);
  });

  it("gives a token to one of many, and to none after its end", async () => {
    const adapter = adapterOver(await fresh());
    const token = { identifier: "ann@example.com", token: "hash", expires: later(WEEK) };
    await adapter.createVerificationToken(token);
    const used = await Promise.all(
      Array.from({ length: 20 }, () => adapter.useVerificationToken(token)),
    );
    expect(used.filter((found) => found !== null)).toEqual([token]);
    await adapter.createVerificationToken({ ...token, expires: later(30) });
    const { identifier } = token;
    await new Promise((resolve) => setTimeout(resolve, 40));
    expect(await adapter.useVerificationToken({ identifier, token: "hash" })).toBe(null);
  });

  it("deletes a user with everything, also a thousand sessions", async () => {
    const store = await fresh();
    const adapter = adapterOver(store);
    await person(adapter, "1");
    const bob = await person(adapter, "2");
    for (const id of ["1", "2"]) await adapter.linkAccount(accountOf(id, id));
    const session = async (userId: string, n: number) =>
      adapter.createSession({ sessionToken: `${userId} ${n}`, userId, expires: later(WEEK) });
    await Promise.all(Array.from({ length: 1100 }, (_, n) => session("1", n)));
    await session("2", 0);
    await Promise.all([adapter.deleteUser("1"), session("1", 5000).catch(() => {})]);
    expect(await adapter.getUser("1")).toBe(null);
    expect(await adapter.getUserByEmail("ann1@example.com")).toBe(null);
    expect(await adapter.getSessionAndUser("1 7")).toBe(null);
    expect(await adapter.getSessionAndUser("1 5000")).toBe(null);
    expect(await adapter.getAccount("1", "github")).toBe(null);
    expect((await adapter.getSessionAndUser("2 0"))!.user).toEqual(bob);
    expect((await store.keys()).filter((key) => /session 1[ !]/.test(key)).length).toBeLessThan(3);
    // Its address and account are free again.
    await adapter.createUser({ id: "3", email: "ann1@example.com", emailVerified: null });
    await adapter.linkAccount(accountOf("3", "1"));
    await adapter.deleteUser("absent");
  });

  it("keeps passkeys and counts their use", async () => {
    const adapter = adapterOver(await fresh());
    await person(adapter);
    const passkey = {
      credentialID: "a+/=",
      userId: "1",
      providerAccountId: "a",
      credentialPublicKey: "key",
      counter: 0,
      credentialDeviceType: "singleDevice",
      credentialBackedUp: false,
      transports: null,
    };
    await adapter.createAuthenticator(passkey);
    expect(await adapter.getAuthenticator("a+/=")).toEqual(passkey);
    await adapter.updateAuthenticatorCounter("a+/=", 7);
    expect(await adapter.listAuthenticatorsByUserId("1")).toEqual([{ ...passkey, counter: 7 }]);
    expect(await adapter.listAuthenticatorsByUserId("2")).toEqual([]);
    await expect(adapter.updateAuthenticatorCounter("b", 1)).rejects.toThrow(
      withCode("KV_CONFLICT"),
    );
  });
});

describe("Auth.js", () => {
  it("keeps ids apart that contain the separators of others", async () => {
    const adapter = adapterOver(kv(new Map()));
    const user = { email: "a", emailVerified: null };
    for (const id of ["a b", "a", "__proto__", "~n"])
      await adapter.createUser({ ...user, id, email: id });
    await adapter.linkAccount({ ...accountOf("a b", "c"), provider: "p" });
    await adapter.linkAccount({ ...accountOf("a", "c"), provider: "p c" });
    await adapter.deleteUser("a");
    expect((await adapter.getUser("a b"))!.email).toBe("a b");
    expect((await adapter.getUserByAccount({ provider: "p", providerAccountId: "c" }))!.id).toBe(
      "a b",
    );
    expect((await adapter.getUser("__proto__"))!.email).toBe("__proto__");
  });

  it("keeps other Dates of users with the codec `rich`", async () => {
    const user = { id: "1", email: "a", emailVerified: null, born: new Date(5) };
    const adapter = authJsAdapter<typeof user>(kv(new Map(), { codec: rich }) as Store);
    await adapter.createUser(user);
    expect(await adapter.getUser("1")).toEqual(user);
    const plain = authJsAdapter<typeof user>(kv(new Map()));
    await expect(plain.createUser(user)).rejects.toThrow(withCode("KV_INVALID_VALUE"));
  });

  it("answers with an error page while the store is down", async () => {
    const { handle, errors, links } = server(kv(failingClient() as never));
    const response = await new Person(handle).post("/auth/signin/email", { email: "a@b.de" });
    expect(response.headers.get("location")).toContain("error=Configuration");
    expect(links).toEqual([]);
    expect(errors.length).toBeGreaterThan(0);
  });

  it("rejects wrong options and clients without compare-and-set at once", () => {
    expect(() => authJsAdapter(kv(), { ttl: 5 } as never)).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => authJsAdapter(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
    expect(() => authJsAdapter(kv(plainClient() as never))).toThrow(withCode("KV_NOT_SUPPORTED"));
  });
});
