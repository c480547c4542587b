import { isKvError, type Json, type Store } from "anykv";

/** What one client did. */
export interface Report {
  type: string;
  entries: number;
  writes: number;
  reads: number;
  scoped: number;
  /** How many reads were made around the deadline, and by how many milliseconds one of them was wrong. */
  watched: number;
  off: number;
  digest: string;
  /** Why the client does not hold all of it. */
  full: string | null;
}

const perSecond = (count: number, since: number): number => Math.round(count / ((performance.now() - since) / 1000));

async function sha256(text: string): Promise<string> {
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("").slice(0, 12);
}

/** Reads until the value is gone. A read that ended before the deadline has to find it, one that began at the deadline must not. */
async function watch(found: () => Promise<boolean>, deadline: number): Promise<{ watched: number; off: number }> {
  for (let watched = 1, off = 0; ; watched++) {
    const began = Date.now();
    const isThere = await found();
    off = Math.max(off, isThere ? began - deadline + 1 : deadline - Date.now());
    if (!isThere) return { watched, off };
  }
}

/** Loads the packages into a store and looks at them from every side. It never asks which client the store is over. */
export async function tour(store: Store, packages: readonly (readonly [name: string, metadata: Json])[]): Promise<Report> {
  await store.clear();
  const started = performance.now();
  // Written together, as a program under load would; what does not fit is refused, and what did stays.
  const results = await Promise.allSettled(packages.map(([name, metadata]) => store.set(name, metadata)));
  const writes = perSecond(packages.length, started);
  const refusal = results.find((result) => result.status === "rejected")?.reason as unknown;
  if (refusal !== undefined && !isKvError(refusal, "KV_QUOTA") && !isKvError(refusal, "KV_TOO_LARGE")) throw refusal;

  const reading = performance.now();
  await Promise.all(packages.map(([name]) => store.get(name)));
  const reads = perSecond(packages.length, reading);

  const found = await store.entries();
  found.sort(([a], [b]) => (a < b ? -1 : 1));
  const scoped = (await store.prefix("@").keys()).length;

  await store.del(packages[0]![0]);
  const deadline = Date.now() + 40;
  await store.set("expiring", "soon", { expires: new Date(deadline) });
  const expiry = await watch(async () => (await store.get("expiring")) !== null, deadline);

  await store.clear();
  return { type: store.type, entries: found.length, writes, reads, scoped, ...expiry, digest: await sha256(JSON.stringify(found)), full: isKvError(refusal) ? refusal.code : null };
}
