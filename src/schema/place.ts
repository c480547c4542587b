import { isKvError, KvError, type KvErrorCode } from "../errors.ts";
import { deadline } from "../expires.ts";
import { failWith } from "../store/failure.ts";
import { checkOptions } from "../platform/options.ts";
import type { Expires } from "../types.ts";
import type { FieldWriteOptions } from "./fields.ts";
import type { SchemaBase } from "./base.ts";

/** Where a field is kept, and the errors that name it. */
export class Place {
  /** The path, without the prefix of the store underneath. */
  readonly key: string;
  readonly kind: string;
  readonly base: SchemaBase;

  constructor(base: SchemaBase, key: string, kind: string) {
    this.base = base;
    this.key = key;
    this.kind = kind;
  }

  /** The key as the client sees it. */
  get full(): string {
    return this.base.context.prefix + this.key;
  }

  /** The type of the client. */
  get client(): string {
    return this.base.store.type;
  }

  /** Throws the error; a foreign value becomes the error that names the kind of the field. */
  refuse(error: unknown): never {
    if (!isKvError(error, "KV_FOREIGN")) throw error;
    throw this.foreign();
  }

  /** Checks options as {@link checkOptions} does. Its errors say which field they are about. */
  checkOptions(
    options: unknown,
    known: readonly string[],
    where: string,
    code?: KvErrorCode,
  ): void {
    try {
      checkOptions(options, known, where, code);
    } catch (error) {
      failWith(this.base.context.connection, error, "writing", this.full);
    }
  }

  /** The moment of an expiry; `undefined` for none. @throws {KvError} KV_INVALID_EXPIRES. */
  deadline(expires: Expires | undefined): number | null | undefined {
    try {
      return expires === undefined ? undefined : deadline(expires, Date.now());
    } catch (error) {
      return failWith(this.base.context.connection, error, "writing", this.full);
    }
  }

  /** @throws {KvError} KV_INVALID_EXPIRES for an invalid expiry, and for invalid options. */
  expiryOf(options: FieldWriteOptions | undefined): Expires | undefined {
    // A bare duration or Date in its place would mean "never" by mistake.
    this.checkOptions(options, ["expires"], "a write", "KV_INVALID_EXPIRES");
    this.deadline(options?.expires);
    return options?.expires;
  }

  foreign(): KvError {
    return new KvError(
      "KV_FOREIGN",
      `what is kept under ${JSON.stringify(this.full)} is no ${this.kind}: erase() removes it`,
      { client: this.client, key: this.full },
    );
  }
}
