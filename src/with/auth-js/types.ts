/** A user, as Auth.js names the members. More members are kept. */
export interface AuthUser {
  id: string;
  email: string;
  emailVerified: Date | null;
  name?: string | null;
  image?: string | null;
}

/** An account of a user at a provider. More members are kept. */
export interface AuthAccount {
  userId: string;
  provider: string;
  providerAccountId: string;
  type: "oauth" | "oidc" | "email" | "webauthn";
}

/** A session. */
export interface AuthSession {
  sessionToken: string;
  userId: string;
  expires: Date;
}

/** A token of a magic link. */
export interface AuthToken {
  identifier: string;
  token: string;
  expires: Date;
}

/** A passkey. */
export interface AuthAuthenticator {
  credentialID: string;
  userId: string;
  providerAccountId: string;
  credentialPublicKey: string;
  counter: number;
  credentialDeviceType: string;
  credentialBackedUp: boolean;
  transports?: string | null;
}

/** Names an account. */
export type AuthAccountKey = Pick<AuthAccount, "provider" | "providerAccountId">;

/** The `adapter` of Auth.js and next-auth. What is absent is `null`. */
export interface AuthJsAdapter<U = AuthUser, A = AuthAccount> {
  createUser(user: U): Promise<U>;
  getUser(id: string): Promise<U | null>;
  getUserByEmail(email: string): Promise<U | null>;
  getUserByAccount(account: AuthAccountKey): Promise<U | null>;
  updateUser(user: Partial<U> & { id: string }): Promise<U>;
  /** Deletes a user with all accounts, sessions and passkeys. */
  deleteUser(id: string): Promise<void>;
  linkAccount(account: A): Promise<void>;
  unlinkAccount(account: AuthAccountKey): Promise<void>;
  getAccount(providerAccountId: string, provider: string): Promise<A | null>;
  createSession(session: AuthSession): Promise<AuthSession>;
  getSessionAndUser(sessionToken: string): Promise<{ session: AuthSession; user: U } | null>;
  updateSession(
    session: Partial<AuthSession> & { sessionToken: string },
  ): Promise<AuthSession | null>;
  deleteSession(sessionToken: string): Promise<void>;
  createVerificationToken(token: AuthToken): Promise<AuthToken>;
  /** Reads a token and deletes it in one step: of concurrent calls one gets it. */
  useVerificationToken(token: { identifier: string; token: string }): Promise<AuthToken | null>;
  createAuthenticator(authenticator: AuthAuthenticator): Promise<AuthAuthenticator>;
  getAuthenticator(credentialID: string): Promise<AuthAuthenticator | null>;
  listAuthenticatorsByUserId(userId: string): Promise<AuthAuthenticator[]>;
  updateAuthenticatorCounter(credentialID: string, counter: number): Promise<AuthAuthenticator>;
}
