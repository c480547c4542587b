import type { Store } from "../../api.ts";
import { KvError } from "../../errors.ts";
import { checkOptions } from "../../platform/options.ts";
import { requireAtomic, requireStore } from "../../store/require-store.ts";
import { Records } from "./records.ts";
import type {
  AuthAccount,
  AuthAccountKey,
  AuthAuthenticator,
  AuthJsAdapter,
  AuthSession,
  AuthToken,
  AuthUser,
} from "./types.ts";

export type * from "./types.ts";

/** Options of {@link authJsAdapter}. */
export interface AuthJsOptions {
  /** A literal text before all keys. Default `""`. */
  prefix?: string | undefined;
}

const keyOfAccount = ({ provider, providerAccountId }: AuthAccountKey): string[] => [
  "account",
  provider,
  providerAccountId,
];

const keyOfToken = ({ identifier, token }: { identifier: string; token: string }): string[] => [
  "token",
  identifier,
  token,
];

async function changed(records: Records, key: string[], members: object): Promise<unknown> {
  const done = await records.change(key, members);
  if (done === null) throw new KvError("KV_CONFLICT", `this ${key[0]} does not exist any more`);
  return done.record;
}

/** Links an account, unless it belongs to another user who still exists. */
async function link(records: Records, account: AuthAccount): Promise<void> {
  const key = keyOfAccount(account);
  const before = (await records.get(key)) as AuthAccount | null;
  if (before !== null && before.userId === account.userId) {
    await records.change(key, account);
    return;
  }
  // It was left behind by a user who was deleted meanwhile.
  if (before !== null && (await records.get(["user", before.userId])) === null)
    await records.delete(key);
  await records.create(key, account);
}

/** The methods for users and their accounts. */
function people(
  records: Records,
): Pick<
  AuthJsAdapter,
  | "createUser"
  | "getUser"
  | "getUserByEmail"
  | "getUserByAccount"
  | "updateUser"
  | "deleteUser"
  | "linkAccount"
  | "unlinkAccount"
  | "getAccount"
> {
  const getUser = async (id: string): Promise<AuthUser | null> =>
    (await records.get(["user", id])) as AuthUser | null;
  const getAccount = async (id: string, provider: string): Promise<AuthAccount | null> =>
    (await records.get(["account", provider, id])) as AuthAccount | null;
  return {
    async createUser(given) {
      const user = { ...given, id: given.id ?? crypto.randomUUID() };
      await records.create(["user", user.id], user);
      return user;
    },
    getUser,
    getUserByEmail: async (email) => (await records.userOf(email)) as AuthUser | null,
    async getUserByAccount({ provider, providerAccountId }) {
      const account = await getAccount(providerAccountId, provider);
      return account && getUser(account.userId);
    },
    updateUser: async (user) => (await changed(records, ["user", user.id], user)) as AuthUser,
    deleteUser: (id) => records.deleteUser(id),
    linkAccount: (account) => link(records, account),
    async unlinkAccount(account) {
      await records.delete(keyOfAccount(account));
    },
    getAccount,
  };
}

/** The methods for sessions, magic links and passkeys. */
function logins(records: Records): Omit<AuthJsAdapter, keyof ReturnType<typeof people>> {
  return {
    async createSession(session) {
      await records.create(["session", session.sessionToken], session);
      return session;
    },
    async getSessionAndUser(token) {
      const session = (await records.get(["session", token])) as AuthSession | null;
      const user = session && ((await records.get(["user", session.userId])) as AuthUser | null);
      return user && session && { session, user };
    },
    async updateSession(session) {
      const done = await records.change(["session", session.sessionToken], session);
      return done && (done.record as AuthSession);
    },
    async deleteSession(token) {
      await records.delete(["session", token]);
    },
    async createVerificationToken(token) {
      await records.create(keyOfToken(token), token);
      return token;
    },
    useVerificationToken: async (token) =>
      (await records.take(keyOfToken(token))) as AuthToken | null,
    async createAuthenticator(authenticator) {
      await records.create(["authenticator", authenticator.credentialID], authenticator);
      return authenticator;
    },
    getAuthenticator: async (id) =>
      (await records.get(["authenticator", id])) as AuthAuthenticator | null,
    listAuthenticatorsByUserId: async (id) =>
      (await records.ofUser("authenticator", id)) as AuthAuthenticator[],
    updateAuthenticatorCounter: async (id, counter) =>
      (await changed(records, ["authenticator", id], { counter })) as AuthAuthenticator,
  };
}

/**
 * An `adapter` for Auth.js and next-auth: users, accounts, sessions, magic links and passkeys.
 *
 * Every change and its indexes are one transaction. Two users never have one email address, an
 * account never belongs to two users, and a magic link works once: the second call rejects with
 * KV_CONFLICT or gets `null`. Sessions and tokens end at their `expires`. A failing store rejects.
 *
 * @throws {KvError} KV_NOT_SUPPORTED where `supports.atomic` is `"no"`; KV_INVALID_CLIENT for
 * anything but a store; KV_INVALID_VALUE for unknown options.
 * @example
 * import kv from "anykv";
 * import { authJsAdapter } from "anykv/with/auth-js";
 *
 * const adapter = authJsAdapter(kv(new Map()), { prefix: "auth:" });
 * const email = "ann@example.com";
 * await adapter.createUser({ id: "1", email, emailVerified: new Date(0) });
 * console.log((await adapter.getUserByEmail(email)).emailVerified.getTime()); // 0
 */
export function authJsAdapter<U = AuthUser, A = AuthAccount>(
  store: Store,
  options: AuthJsOptions = {},
): AuthJsAdapter<U, A> {
  checkOptions(options, ["prefix"], "authJsAdapter()");
  requireStore(store, "authJsAdapter()");
  requireAtomic(store, "Auth.js");
  const records = new Records(store.prefix(options.prefix));
  // The members that a program adds to a user or an account are kept as they are.
  return { ...people(records), ...logins(records) } as unknown as AuthJsAdapter<U, A>;
}
