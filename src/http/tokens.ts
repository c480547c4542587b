import { KvError } from "../errors.ts";
import { builtin } from "../platform/node.ts";
import { checkOptions } from "../platform/options.ts";
import type { Incoming } from "./body.ts";
import { type Limits, limitsOf, Rate } from "./limits.ts";
import { limited, Refusal } from "./reply.ts";

/** Who may use the server, and how. */
export interface TokenOptions {
  /**
   * The token itself, of at least 16 characters; or instead of it `hash`. Only its hash is kept.
   */
  token?: string;
  /** The SHA-256 of the token, in hexadecimal. */
  hash?: string;
  /** The name of the key space that it opens. Tokens of one name share it. */
  space: string;
  /** Whether it may only read. Default `false`. */
  readOnly?: boolean;
  /** Limits of this token in place of the server's. */
  limits?: Limits;
}

/** The space of everyone, where no token is asked for. */
const OPEN = "open";

/** The rights of a known token. */
export class Grant {
  readonly space: string;
  readonly isReadOnly: boolean;
  readonly limits: Required<Limits>;
  readonly rate: Rate;
  #streams = 0;

  constructor(space: string, isReadOnly: boolean, limits: Required<Limits>) {
    this.space = space;
    this.isReadOnly = isReadOnly;
    this.limits = limits;
    this.rate = new Rate(limits.requestsPerSecond);
  }

  /**
   * Counts an event stream, until the returned function is called. @throws {KvError}
   * KV_RATE_LIMITED
   */
  stream(): () => void {
    if (this.#streams >= this.limits.streams)
      throw limited(`more than ${this.limits.streams} event streams`, 10);
    this.#streams++;
    let isOpen = true;
    return () => {
      if (isOpen) this.#streams--;
      isOpen = false;
    };
  }
}

/** The SHA-256 of a text. Node's own is at hand at once; WebCrypto asks another thread. */
function sha256(text: string): Uint8Array | Promise<Uint8Array> {
  const { createHash } = builtin("node:crypto");
  if (createHash !== undefined) return createHash("sha256").update(text).digest();
  return crypto.subtle
    .digest("SHA-256", new TextEncoder().encode(text))
    .then((digest) => new Uint8Array(digest));
}

function digestIn(hash: string): Uint8Array {
  if (!/^[0-9a-f]{64}$/i.test(hash))
    throw new KvError(
      "KV_INVALID_VALUE",
      '"hash" is the SHA-256 of a token in 64 hexadecimal digits',
    );
  return Uint8Array.from({ length: 32 }, (_, i) =>
    Number.parseInt(hash.slice(i * 2, i * 2 + 2), 16),
  );
}

/** Whether two digests are equal, in a time that does not depend on where they differ. */
function isEqual(a: Uint8Array, b: Uint8Array): boolean {
  let difference = 0;
  for (let i = 0; i < 32; i++) difference |= a[i]! ^ b[i]!;
  return difference === 0;
}

/**
 * The digest of a token and its grant. An error is thrown immediately; the digest is ready a moment
 * later.
 */
function known(
  options: TokenOptions,
  others: Required<Limits>,
): { digest: Promise<Uint8Array>; grant: Grant } {
  // A misspelt "readOnly" must not let a token write.
  checkOptions(options, ["token", "hash", "space", "readOnly", "limits"], "a token");
  const { token, hash, space, readOnly = false, limits } = Object(options) as TokenOptions;
  if (typeof space !== "string" || space === "" || !space.isWellFormed())
    throw new KvError("KV_INVALID_VALUE", 'each token needs the name of a "space"');
  if ((token === undefined) === (hash === undefined))
    throw new KvError("KV_INVALID_VALUE", 'each of the tokens is given as "token", or as "hash"');
  if (token !== undefined && !(typeof token === "string" && /^[\x21-\x7e]{16,}$/.test(token))) {
    throw new KvError(
      "KV_INVALID_VALUE",
      "a token has at least 16 characters, all of them printable ASCII: make it by chance",
    );
  }
  const digest = Promise.resolve(hash === undefined ? sha256(token!) : digestIn(String(hash)));
  return { digest, grant: new Grant(space, readOnly, limitsOf(limits, others)) };
}

/** Everyone that a server knows. */
export class Tokens {
  /** All grants, in the order of the tokens. */
  readonly grants: readonly Grant[];
  readonly #digests: Promise<readonly Uint8Array[]> | null;

  /**
   * @param limits those of tokens that name none.
   * @throws {KvError} KV_INVALID_VALUE when there is no token, and `"none"` is not said.
   */
  constructor(tokens: readonly TokenOptions[] | "none", limits: Required<Limits>) {
    if (tokens !== "none" && (!Array.isArray(tokens) || tokens.length === 0)) {
      throw new KvError(
        "KV_INVALID_VALUE",
        'a server needs "tokens": [{ token, space }], or "none" when everyone who reaches it ' +
          "may read and write everything",
      );
    }
    const all =
      tokens === "none" ? [] : tokens.map((options: TokenOptions) => known(options, limits));
    this.grants =
      tokens === "none" ? [new Grant(OPEN, false, limits)] : all.map(({ grant }) => grant);
    this.#digests = tokens === "none" ? null : Promise.all(all.map(({ digest }) => digest));
  }

  /**
   * The grant of a request.
   *
   * @throws {KvError} KV_UNAUTHORIZED without a token that is known.
   */
  async grantOf({ headers }: Pick<Incoming, "headers">): Promise<Grant> {
    if (this.#digests === null) return this.grants[0]!;
    const [, token = ""] =
      /^Bearer ([\x21-\x7e]+)$/i.exec(headers.get("authorization") ?? "") ?? [];
    const [digests, digest] = await Promise.all([this.#digests, sha256(token)]);
    let found = -1;
    // All of them, whichever it is: how long that takes tells nothing.
    for (let i = 0; i < digests.length; i++) if (isEqual(digests[i]!, digest)) found = i;
    if (token !== "" && found >= 0) return this.grants[found]!;
    throw new Refusal(
      "KV_UNAUTHORIZED",
      'this server needs an access token that it knows, in the header "authorization: Bearer …"',
      401,
    );
  }
}
