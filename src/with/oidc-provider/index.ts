import type { Store } from "../../api.ts";
import { untilDone } from "../../concurrency/retry.ts";
import { KvError } from "../../errors.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireAtomic, requireStore } from "../../store/require-store.ts";
import type { Key } from "../../versioned/key.ts";
import { type VersionedStore, versioned } from "../../versioned/versioned.ts";
import { ifPossible } from "../shared/if-possible.ts";

/** Options of {@link oidcAdapter}. */
export interface OidcOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

/** What oidc-provider keeps. */
export interface OidcPayload {
  [name: string]: unknown;
  grantId?: string | undefined;
  uid?: string | undefined;
  userCode?: string | undefined;
}

/** The adapter of one model. What is absent is `undefined`. */
export interface OidcModel<P = OidcPayload> {
  /** `expiresIn` is in seconds; without it, the record stays. */
  upsert(id: string, payload: P, expiresIn?: number): Promise<undefined>;
  find(id: string): Promise<P | undefined>;
  findByUid(uid: string): Promise<P | undefined>;
  findByUserCode(userCode: string): Promise<P | undefined>;
  /** Marks a code or token as used: of concurrent calls one succeeds. */
  consume(id: string): Promise<undefined>;
  destroy(id: string): Promise<undefined>;
  revokeByGrantId(grantId: string): Promise<undefined>;
}

const GRANTABLE = [
  "AccessToken",
  "AuthorizationCode",
  "RefreshToken",
  "DeviceCode",
  "BackchannelAuthenticationRequest",
  "PreAuthorizedCode",
];

// Fewer than a transaction may delete.
const MOST = 500;

/** A payload with its deadline: milliseconds since 1970. */
interface Kept {
  readonly payload: OidcPayload;
  readonly until: number | null;
}

const indexes = {
  grant: {
    prefix: [],
    of: (kept: unknown, [model]: Key) =>
      GRANTABLE.includes(model as string) ? (kept as Kept).payload.grantId : null,
  },
  uid: { prefix: ["Session"], of: (kept: unknown) => (kept as Kept).payload.uid },
  userCode: {
    prefix: ["DeviceCode"],
    of: (kept: unknown) => (kept as Kept).payload.userCode,
    unique: true,
  },
};

const dateOf = (until: number | null): Date | null => (until === null ? null : new Date(until));

/** An error that oidc-provider hands to the client of the request. */
function used(model: string): KvError {
  const code = model === "PushedAuthorizationRequest" ? "invalid_request" : "invalid_grant";
  const answer = { expose: true, statusCode: 400, error_description: "already used" };
  return Object.assign(new KvError("KV_CONFLICT", code), answer);
}

async function consume(store: VersionedStore, model: string, id: string): Promise<void> {
  await untilDone(async () => {
    const entry = await store.get<Kept>([model, id]);
    if (entry.version === null || entry.value.payload.consumed) throw used(model);
    const { payload, until } = entry.value;
    const consumed = { ...payload, consumed: Math.floor(Date.now() / 1000) };
    const write = store.atomic().check(entry);
    write.set([model, id], { payload: consumed, until }, { expires: dateOf(until) });
    return (await write.commit()).ok || null;
  });
}

/** Deletes the codes and tokens of a grant, in parts because a transaction has a limit. */
async function revoke(store: VersionedStore, grantId: string): Promise<void> {
  for (;;) {
    const transaction = store.atomic();
    let count = 0;
    for await (const { key } of store.listBy("grant", grantId, { limit: MOST })) {
      transaction.delete(key);
      count++;
    }
    if (count === 0) return;
    await transaction.commit();
  }
}

/** The newest session with a uid: a login gives it another id. */
async function sessionOf(store: VersionedStore, uid: string): Promise<OidcPayload | undefined> {
  let newest: { version: string; value: Kept } | undefined;
  for await (const entry of store.listBy<Kept>("uid", uid))
    if (newest === undefined || entry.version > newest.version) newest = entry;
  return newest?.value.payload;
}

/** The adapter of one model. */
function modelOver(store: VersionedStore, model: string): OidcModel {
  return {
    async upsert(id, payload, expiresIn) {
      const until = expiresIn === undefined ? null : Date.now() + expiresIn * 1000;
      await store.set([model, id], { payload, until }, { expires: dateOf(until) });
      return undefined;
    },
    find: async (id) => (await ifPossible(() => store.get<Kept>([model, id])))?.value?.payload,
    findByUid: (uid) => sessionOf(store, uid),
    findByUserCode: async (code) =>
      (await ifPossible(() => store.getBy<Kept>("userCode", code)))?.value.payload,
    async consume(id) {
      await consume(store, model, id);
      return undefined;
    },
    async destroy(id) {
      await store.delete([model, id]);
      return undefined;
    },
    async revokeByGrantId(grantId) {
      await revoke(store, grantId);
      return undefined;
    },
  };
}

/**
 * An `adapter` for oidc-provider: sessions, grants, codes and tokens.
 *
 * A record and its indexes are one transaction. A code or a rotated refresh token is used once: of
 * concurrent requests one succeeds, and the others are answered with `invalid_grant`. Revoking a
 * grant deletes all of its codes and tokens. Records end at their deadline. A failing store
 * rejects, and oidc-provider answers with `server_error`.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for unknown options.
 * @example
 * import kv from "anykv";
 * import { oidcAdapter } from "anykv/with/oidc-provider";
 *
 * const adapter = oidcAdapter(kv(new Map()), { prefix: "oidc:" });
 * const codes = adapter("AuthorizationCode");
 * await codes.upsert("a", { grantId: "g" }, 60);
 * await adapter("AccessToken").revokeByGrantId("g");
 * console.log((await codes.find("a")) === undefined); // true
 */
export function oidcAdapter<P = OidcPayload>(
  store: Store,
  options: OidcOptions = {},
): (model: string) => OidcModel<P> {
  checkOptions(options, ["prefix"], "oidcAdapter()");
  requireStore(store, "oidcAdapter()");
  requireAtomic(store, "oidc-provider");
  const records = versioned(store.prefix(options.prefix), { indexes });
  // The members of a payload are those of oidc-provider.
  return (model) => modelOver(records, model) as unknown as OidcModel<P>;
}
