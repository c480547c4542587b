import type { EtcdCalls, EtcdClient } from "./calls.ts";

/**
 * The longest lease that a server grants, in milliseconds (285 years), less some room for using one
 * again.
 */
const LONGEST = 9_000_000_000_000;
const ROOM = LONGEST / 10;

/** How many leases are remembered. */
const MANY = 1000;

interface Lease {
  readonly id: Promise<string>;
  /** The same once it is granted. */
  granted?: string;
  /** Until when it surely lasts, by a clock that never jumps. */
  readonly until: number;
}

/**
 * The end of the lease for a deadline (epoch milliseconds): never before it, and the same for many
 * deadlines. It is a multiple of a second, or of about one percent of the time that is left.
 */
export function leaseEnd(deadline: number, now: number): number {
  const step = 1000 * 2 ** Math.max(0, Math.ceil(Math.log2(Math.max(1, deadline - now) / 100_000)));
  return Math.ceil(deadline / step) * step;
}

/**
 * The leases of one client: one for all deadlines that are close to one another. They are not
 * renewed.
 */
export class EtcdLeases {
  readonly #client: EtcdClient;
  readonly #calls: EtcdCalls;
  readonly #leases = new Map<number, Lease>();

  constructor(client: EtcdClient, calls: EtcdCalls) {
    this.#client = client;
    this.#calls = calls;
  }

  /** A lease that lasts until a deadline or a little longer; `"0"`, which is none, for `null`. */
  async for(deadline: number | null): Promise<string> {
    if (deadline === null) return "0";
    const now = Date.now();
    const end = leaseEnd(deadline, now);
    const needed = performance.now() + Math.min(deadline - now, LONGEST - ROOM);
    const found = this.#leases.get(end);
    // After a jump of the clock, or when it is nearly over, another one is granted.
    if (found !== undefined && found.until >= needed) return found.id;
    const seconds = Math.ceil(Math.min(end - now, LONGEST) / 1000);
    const id = this.#calls
      .ruled(this.#calls.options(), (options) =>
        this.#client.leaseClient.leaseGrant({ TTL: seconds }, options),
      )
      .then(({ ID }) => ID);
    const lease: Lease = { id, until: performance.now() + seconds * 1000 };
    this.#leases.delete(end);
    this.#leases.set(end, lease);
    if (this.#leases.size > MANY) this.#leases.delete(this.#leases.keys().next().value!);
    try {
      return (lease.granted = await id);
    } catch (error) {
      if (this.#leases.get(end) === lease) this.#leases.delete(end);
      throw error;
    }
  }

  /**
   * Forgets leases that the server does not know: revoked by another program, or granted before it
   * was emptied.
   */
  forget(ids: readonly (string | undefined)[]): void {
    for (const [end, { granted }] of this.#leases)
      if (granted !== undefined && ids.includes(granted)) this.#leases.delete(end);
  }
}
