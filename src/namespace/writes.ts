import type { Expires } from "../types.ts";
import { checkKey, expirationOf, metadataOf, writingOf } from "./checks.ts";
import { encodeHead, encodeKept } from "./kept.ts";
import { checkKind, payloadOf } from "./payload.ts";
import type { NamespaceRecords } from "./records.ts";
import type { Rules } from "./refusal.ts";
import type { PutOptions } from "./types.ts";

/** `namespace.put()`. `byDefault` is the expiry of the store. */
export async function putKey(
  records: NamespaceRecords,
  rules: Rules,
  byDefault: Expires,
  key: unknown,
  value: unknown,
  options?: PutOptions,
): Promise<void> {
  const checked = checkKey(key, "PUT", rules);
  checkKind(value, rules);
  const given = writingOf(options, rules);
  const head = {
    expiration: expirationOf(given, byDefault, rules),
    metadata: metadataOf(given, rules),
  };
  const pending = payloadOf(value, rules);
  const payload = pending instanceof Promise ? await pending : pending;
  const expires = head.expiration === null ? null : new Date(head.expiration * 1000);
  await records.inTurn("write", [checked], ([keys]) => {
    const name = records.layout()!.isShortened(checked) ? checked : null;
    const kept = encodeKept({ ...head, payload }, records.store.supports.bytes);
    // The index first: if only one of the two is written, every key that can be read is listed.
    return records.apply([
      { key: keys!.index, value: encodeHead(head, name), expires },
      { key: keys!.value, value: kept, expires },
    ]);
  });
}

/** `namespace.delete()` */
export async function deleteKey(
  records: NamespaceRecords,
  rules: Rules,
  key: unknown,
): Promise<void> {
  const checked = checkKey(key, "DELETE", rules);
  await records.inTurn("write", [checked], ([keys]) =>
    records.apply([
      { key: keys!.value, value: null, expires: null },
      { key: keys!.index, value: null, expires: null },
    ]),
  );
}
