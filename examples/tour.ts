import { isKvError, type Json, type Store } from "anykv";

/** The data: the name of each package, and what package-lock.json says of it. */
export type Packages = readonly (readonly [name: string, metadata: Json])[];

/** One line of the output. */
export interface Client {
  readonly name: string;
  tour(packages: Packages): Promise<Report>;
}

/** What one client did. */
export interface Report {
  entries: number;
  /** How long it took to write and read everything. */
  ms: number;
  /** By how many milliseconds a read around the expiry time was wrong. */
  off: number;
  digest: string;
  /** Why the client does not hold all of it. */
  full: string | null;
}

async function sha256(text: string): Promise<string> {
  const bytes = new Uint8Array(
    await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text)),
  );
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0"))
    .join("")
    .slice(0, 12);
}

/**
 * Reads until the value is gone. A read that ended before the expiry time has to find it. One that
 * began at the expiry time must not.
 */
async function watch(found: () => Promise<boolean>, deadline: number): Promise<number> {
  for (let off = 0; ;) {
    const began = Date.now();
    const isThere = await found();
    off = Math.max(off, isThere ? began - deadline + 1 : deadline - Date.now());
    if (!isThere) return off;
  }
}

/**
 * Loads the packages into a store and looks at them from every side. It never asks which client the
 * store is over.
 */
export async function tour(store: Store, packages: Packages): Promise<Report> {
  await store.clear();
  const begin = performance.now();
  // Written together, as a program under load does. What does not fit is refused, the rest stays.
  const results = await Promise.allSettled(
    packages.map(([name, metadata]) => store.set(name, metadata)),
  );
  const refusal = results.find(({ status }) => status === "rejected") as
    | { reason?: unknown }
    | undefined;
  const full = refusal?.reason;
  if (full !== undefined && !isKvError(full, "KV_QUOTA") && !isKvError(full, "KV_TOO_LARGE"))
    throw full;
  await Promise.all(packages.map(([name]) => store.get(name)));
  const ms = performance.now() - begin;

  const found = await store.entries();
  found.sort(([a], [b]) => (a < b ? -1 : 1));

  await store.del(packages[0]![0]);
  const deadline = Date.now() + 40;
  await store.set("expiring", "soon", { expires: new Date(deadline) });
  const off = await watch(async () => (await store.get("expiring")) !== null, deadline);

  await store.clear();
  const digest = await sha256(JSON.stringify(found));
  return { entries: found.length, ms, off, digest, full: isKvError(full) ? full.code : null };
}
