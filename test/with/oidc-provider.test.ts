import { createHash } from "node:crypto";
import type { RequestListener } from "node:http";
import { type Configuration, Provider } from "oidc-provider";
import { beforeAll, describe, expect, it, vi } from "vitest";
import kv, { type Store } from "../../src/index.ts";
import { oidcAdapter } from "../../src/with/oidc-provider/index.ts";
import { INTEGRATION_STORES, withCode } from "../support/integration-stores.ts";
import { failingClient, plainClient } from "../support/plain-client.ts";
import { serve } from "../support/web-app.ts";

const CLIENT = "a-client";
const REDIRECT = "https://client.example/callback";
const VERIFIER = "a verifier of at least 43 characters, as PKCE asks".replace(/[ ,]/g, "-");
const CHALLENGE = createHash("sha256").update(VERIFIER).digest("base64url");

interface Tokens {
  readonly access_token: string;
  readonly refresh_token: string;
  readonly error?: string;
  readonly error_description?: string;
}

interface Reply {
  readonly status: number;
  readonly body: Tokens & { [name: string]: string };
}

/** An identity provider on loopback. */
async function identityProvider(store: Store) {
  let listener: RequestListener = () => {};
  const url = await serve((request, response) => void listener(request, response));
  const adapter: Configuration["adapter"] = oidcAdapter(store, { prefix: "oidc:" });
  const provider = new Provider(url, {
    adapter,
    clients: [
      {
        client_id: CLIENT,
        client_secret: "a secret",
        redirect_uris: [REDIRECT],
        grant_types: [
          "authorization_code",
          "refresh_token",
          "urn:ietf:params:oauth:grant-type:device_code",
        ],
      },
    ],
    features: { deviceFlow: { enabled: true }, revocation: { enabled: true } },
    scopes: ["openid", "offline_access"],
    findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id }) }),
    rotateRefreshToken: true,
    cookies: { keys: ["a key"] },
  });
  const errors: unknown[] = [];
  provider.on("server_error", (_, error) => void errors.push(error));
  listener = provider.callback();
  const post = async (path: string, fields: { [name: string]: string }): Promise<Reply> => {
    const response = await fetch(url + path, {
      method: "POST",
      headers: {
        authorization: `Basic ${btoa(`${CLIENT}:a+secret`)}`,
        "content-type": "application/x-www-form-urlencoded",
      },
      body: new URLSearchParams(fields).toString(),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text ? (JSON.parse(text) as Reply["body"]) : {},
    } as Reply;
  };
  return { url, post, errors, userinfo: (token: string) => userinfo(url, token) };
}

const userinfo = async (url: string, token: string): Promise<number> =>
  (await fetch(`${url}/me`, { headers: { authorization: `Bearer ${token}` } })).status;

/** A browser that logs in and consents. Resolves to the code. */
async function login(url: string, cookies = new Map<string, string>()): Promise<string> {
  const query = new URLSearchParams({
    client_id: CLIENT,
    redirect_uri: REDIRECT,
    response_type: "code",
    scope: "openid offline_access",
    prompt: "consent",
    code_challenge: CHALLENGE,
    code_challenge_method: "S256",
  });
  let next = `${url}/auth?${query.toString()}`;
  for (let steps = 0; steps < 20; steps++) {
    if (next.startsWith(REDIRECT)) return new URL(next).searchParams.get("code")!;
    const headers = { cookie: [...cookies].map((pair) => pair.join("=")).join("; ") };
    const isForm = next.includes("/interaction/");
    const page = isForm ? await (await fetch(next, { headers })).text() : "";
    const prompt = /name="prompt" value="(\w+)"/.exec(page)?.[1];
    const response = await fetch(next, {
      method: isForm ? "POST" : "GET",
      redirect: "manual",
      headers: {
        ...headers,
        ...(isForm && { "content-type": "application/x-www-form-urlencoded" }),
      },
      ...(isForm && { body: `prompt=${prompt}&login=ann&password=x` }),
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value) cookies.set(name!, value);
      else cookies.delete(name!);
    }
    expect(response.status, await response.text()).toBe(303);
    next = new URL(response.headers.get("location")!, url).href;
  }
  throw new Error("the login did not end");
}

const exchange = (code: string) => ({
  grant_type: "authorization_code",
  code,
  redirect_uri: REDIRECT,
  code_verifier: VERIFIER,
});
const refresh = (token: string) => ({ grant_type: "refresh_token", refresh_token: token });

let prefixes = 0;
beforeAll(() => {
  // The login pages of development announce themselves.
  vi.spyOn(console, "warn").mockReturnValue();
  vi.spyOn(console, "info").mockReturnValue();
});

describe.each(INTEGRATION_STORES)("oidc-provider on %s", (_, open) => {
  const fresh = async (): Promise<Store> => (await open()).prefix(`oidc${prefixes++}:`);

  it("exchanges a code once, of many requests at once", async () => {
    const { url, post, errors } = await identityProvider(await fresh());
    const code = await login(url);
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => post("/token", exchange(code))),
    );
    expect(replies.filter(({ status }) => status === 200).length).toBe(1);
    const failed = replies.filter(({ status }) => status !== 200);
    expect(failed.every(({ body }) => body.error === "invalid_grant")).toBe(true);
    expect(errors).toEqual([]);
  });

  it("rotates refresh tokens, and revokes the grant when one is used again", async () => {
    const { url, post, userinfo } = await identityProvider(await fresh());
    const first = (await post("/token", exchange(await login(url)))).body;
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => post("/token", refresh(first.refresh_token))),
    );
    const rotated = replies.filter(({ status }) => status === 200);
    expect(rotated.length).toBe(1);
    const second = rotated[0]!.body;
    // A request that came late enough has revoked the grant already.
    if (replies.every(({ body }) => body.error_description !== "grant request is invalid"))
      expect((await post("/token", refresh(first.refresh_token))).body.error).toBe("invalid_grant");
    expect((await post("/token", refresh(second.refresh_token))).body.error).toBe("invalid_grant");
    expect([await userinfo(first.access_token), await userinfo(second.access_token)]).toEqual([
      401, 401,
    ]);
  });

  it("shares logins and grants with another server", async () => {
    const store = await fresh();
    const one = await identityProvider(store);
    const cookies = new Map<string, string>();
    const tokens = (await one.post("/token", exchange(await login(one.url, cookies)))).body;
    expect(await one.userinfo(tokens.access_token)).toBe(200);
    const two = await identityProvider(store);
    expect(await two.userinfo(tokens.access_token)).toBe(200);
    expect(cookies.has("_session")).toBe(true);
    expect((await one.post("/token/revocation", { token: tokens.refresh_token })).status).toBe(200);
    expect(await two.userinfo(tokens.access_token)).toBe(401);
  });

  it("finds a device by the code that the user types", async () => {
    const store = await fresh();
    const { post } = await identityProvider(store);
    const { body } = await post("/device/auth", { scope: "openid" });
    const devices = oidcAdapter(store, { prefix: "oidc:" })("DeviceCode");
    const code = body.user_code!.replaceAll("-", "");
    const found = (await devices.findByUserCode(code))!;
    expect(found.params).toMatchObject({ client_id: CLIENT });
    await expect(devices.upsert("another", { userCode: code }, 60)).rejects.toThrow(
      withCode("KV_VALIDATION"),
    );
    const grant = "urn:ietf:params:oauth:grant-type:device_code";
    const poll = { grant_type: grant, device_code: body.device_code! };
    expect((await post("/token", poll)).body.error).toBe("authorization_pending");
    await devices.destroy(body.device_code!);
    expect(await devices.findByUserCode(code)).toBe(undefined);
  });

  it("finds the newest session with a uid, and ends records", async () => {
    const model = oidcAdapter(await fresh());
    const sessions = model("Session");
    await sessions.upsert("z", { uid: "u", n: 1 }, 60);
    await sessions.upsert("a", { uid: "u", n: 2 }, 60);
    expect(await sessions.findByUid("u")).toEqual({ uid: "u", n: 2 });
    await sessions.destroy("a");
    expect(await sessions.findByUid("u")).toEqual({ uid: "u", n: 1 });
    const tokens = model("AccessToken");
    await tokens.upsert("a", { grantId: "g" }, 0.05);
    await expect.poll(() => tokens.find("a")).toBe(undefined);
    await model("Client").upsert("forever", { client_name: "x" });
    expect(await model("Client").find("forever")).toEqual({ client_name: "x" });
  });

  it("keeps the deadline of consumed tokens, and revokes thousands", async () => {
    const store = await fresh();
    const model = oidcAdapter(store);
    await model("AuthorizationCode").upsert("c", { grantId: "g" }, 60);
    const before = (await store.entry("AuthorizationCode c"))!.expires;
    await model("AuthorizationCode").consume("c");
    expect((await store.entry("AuthorizationCode c"))!.expires).toBe(before);
    expect((await model("AuthorizationCode").find("c"))!.consumed).toBeTypeOf("number");
    await expect(model("AuthorizationCode").consume("c")).rejects.toMatchObject({
      message: "invalid_grant",
      expose: true,
    });
    await expect(model("RefreshToken").consume("absent")).rejects.toThrow(withCode("KV_CONFLICT"));
    const tokens = model("AccessToken");
    const ids = Array.from({ length: 1200 }, (_, i) => `${i}`);
    await Promise.all(ids.map((id) => tokens.upsert(id, { grantId: "g" }, 60)));
    await tokens.upsert("other", { grantId: "g2" }, 60);
    await model("RefreshToken").revokeByGrantId("g");
    expect((await store.keys()).filter((key) => !key.startsWith("!"))).toEqual([
      "AccessToken other",
    ]);
  });
});

describe("oidc-provider", () => {
  it("answers with an error while the store is down", async () => {
    const client = failingClient();
    const { post, errors, userinfo } = await identityProvider(kv(client as never));
    expect((await post("/device/auth", { scope: "openid" })).body.error).toBe("server_error");
    expect(await userinfo("a-token")).toBe(500);
    expect(errors).toEqual([withCode("KV_CONNECTION"), withCode("KV_CONNECTION")]);
  });

  it("takes tokens that can be no key for unknown ones", async () => {
    const { userinfo, errors } = await identityProvider(kv(new Map()));
    for (const token of ["a".repeat(5000), "__proto__", "a/../b"])
      expect(await userinfo(token)).toBe(401);
    expect(errors).toEqual([]);
  });

  it("rejects wrong options and clients without compare-and-set at once", () => {
    expect(() => oidcAdapter(kv(), { ttl: 5 } as never)).toThrow(withCode("KV_INVALID_VALUE"));
    expect(() => oidcAdapter(new Map() as never)).toThrow(withCode("KV_INVALID_CLIENT"));
    expect(() => oidcAdapter(kv(plainClient() as never))).toThrow(withCode("KV_NOT_SUPPORTED"));
  });
});
