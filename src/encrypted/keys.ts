import { KvError } from "../errors.ts";
import { checkOptions } from "../platform/options.ts";
import { base64urlToBytes, type Bytes } from "../record/bytes.ts";
import type { CryptoKeyLike, EncryptionKey } from "./types.ts";

/** A key that is imported when it is first needed. */
export interface Imported {
  readonly id: string;
  readonly key: () => Promise<CryptoKey>;
}

interface Kind {
  readonly name: "AES-GCM" | "HMAC";
  readonly usages: readonly KeyUsage[];
  readonly lengths: readonly number[];
  readonly algorithm: AesKeyAlgorithm | HmacImportParams | string;
}

const AES: Kind = {
  name: "AES-GCM",
  usages: ["encrypt", "decrypt"],
  lengths: [16, 32],
  algorithm: "AES-GCM",
};

const HMAC: Kind = {
  name: "HMAC",
  usages: ["sign"],
  lengths: [32, 48, 64],
  algorithm: { name: "HMAC", hash: "SHA-256" },
};

const invalid = (message: string): KvError => new KvError("KV_INVALID_VALUE", message);

/** A copy of the bytes; `undefined` for anything else. A passphrase is no key. */
function bytesOfKey(material: unknown, { lengths }: Kind): Bytes | undefined {
  let bytes: Bytes | undefined;
  try {
    // Of any realm.
    if (Object.prototype.toString.call(material) === "[object Uint8Array]")
      bytes = new Uint8Array(material as Uint8Array);
    if (typeof material === "string")
      bytes = base64urlToBytes(
        material.replace(/=+$/, "").replaceAll("+", "-").replaceAll("/", "_"),
      );
  } catch {
    // No base64. The text is not shown.
  }
  return bytes && lengths.includes(bytes.length) ? bytes : undefined;
}

function imported(
  material: unknown,
  kind: Kind,
  where: string,
  usages: readonly KeyUsage[] = kind.usages,
): () => Promise<CryptoKey> {
  const { name } = kind;
  const given = Object(material) as Partial<CryptoKeyLike>;
  if (Array.isArray(given.usages)) {
    const lacking = usages.filter((usage) => !given.usages!.includes(usage));
    if (given.algorithm?.name !== name || lacking.length > 0)
      throw invalid(`${where} has to be a key for ${name} that may ${usages.join(" and ")}`);
    return async () => material as CryptoKey;
  }
  const bytes = bytesOfKey(material, kind);
  if (bytes === undefined)
    throw invalid(
      `${where} has to be ${kind.lengths.join(" or ")} random bytes, or these in base64: ` +
        "a passphrase is no key",
    );
  // The key, not a promise of it: requests of an edge worker may not wait for each other.
  let key: CryptoKey | undefined;
  return async () =>
    (key ??= await crypto.subtle.importKey("raw", bytes, kind.algorithm, false, [...usages]));
}

/** @throws {KvError} KV_INVALID_VALUE for anything but keys with different, plain ids. */
export function encryptionKeys(keys: unknown): readonly [Imported, ...Imported[]] {
  if (!Array.isArray(keys) || keys.length === 0)
    throw invalid("encrypted() needs keys, a list of { id, key }: the first one encrypts");
  const ids = new Set<string>();
  const list = Array.from(keys as unknown[], (each, i): Imported => {
    if (each === undefined || each === null) throw invalid(`keys[${i}] is missing`);
    checkOptions(each, ["id", "key"], `keys[${i}]`);
    const { id, key } = each as Partial<EncryptionKey>;
    if (typeof id !== "string" || !/^[\w.-]{1,64}$/.test(id))
      throw invalid(`keys[${i}].id has to be 1 to 64 letters, digits, ".", "_" and "-"`);
    if (ids.has(id)) throw invalid(`two keys have the id ${JSON.stringify(id)}`);
    ids.add(id);
    return { id, key: imported(key, AES, `keys[${i}].key`, i === 0 ? AES.usages : ["decrypt"]) };
  });
  return list as [Imported, ...Imported[]];
}

/** @throws {KvError} KV_INVALID_VALUE */
export const hashingKey = (key: unknown): (() => Promise<CryptoKey>) =>
  imported(key, HMAC, "hashKeys");
