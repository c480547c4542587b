/** The part of a `CryptoKey` that is looked at. */
export interface CryptoKeyLike {
  readonly type: string;
  readonly algorithm: { readonly name: string };
  readonly usages: readonly string[];
}

/** 32 (or 16) random bytes, the same in base64 or base64url, or a `CryptoKey`. */
export type KeyMaterial = Uint8Array | string | CryptoKeyLike;

/** A key and the name that is stored beside what it encrypts. */
export interface EncryptionKey {
  /** 1 to 64 letters, digits, `.`, `_` and `-`. It is stored in the open. */
  readonly id: string;
  /** A `CryptoKey` has to be one for AES-GCM. */
  readonly key: KeyMaterial;
}
