export { encrypted, type EncryptedOptions } from "./encrypted.ts";
export type { CryptoKeyLike, EncryptionKey, KeyMaterial } from "./types.ts";
