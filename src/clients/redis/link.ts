import type { Listener } from "../../platform/error-listener.ts";
import { askPatience } from "../../concurrency/timeout.ts";

/**
 * How long an operation waits for a client that has lost its server, in milliseconds, unless its
 * caller has a timeout.
 */
const PATIENCE = 5000;
/**
 * How much sooner it gives up than its caller, to say why, in milliseconds: or a tenth of the time,
 * where that is less.
 */
const SOONER = 100;
/** How often a client that is waited for is looked at, in milliseconds. */
const LOOK = 10;

/**
 * How it stands with a client: it can be used, it is connecting by itself, or nothing will happen
 * unless its owner calls `connect()`.
 */
export type LinkState = "ready" | "down" | "closed";

/** The state of a client, for waiting for it. */
export interface LinkedClient {
  state(): LinkState;
  connect(): Promise<unknown>;
  /**
   * Whether every `error` event before it was ever ready says that it cannot be reached; clusters
   * try their other nodes.
   */
  readonly failsAtOnce: boolean;
  /** Ends the connection, and rejects pending commands: `connect()` then makes another. */
  stop?(): unknown;
  /** The same for a client that connects by itself afterwards. */
  restart?(): void;
}

interface Waiter {
  resolve(): void;
  reject(error: unknown): void;
  until: number;
}

/** Errors that trying again does not mend: a wrong password, no permission. */
const isRefusal = (error: unknown): boolean =>
  /^(WRONGPASS|NOAUTH|NOPERM|NOPROTO|DENIED|ERR)\b/.test(
    String((error as Partial<Error> | null)?.message),
  );

/**
 * The state of one client. Operations wait here while it has no server, so that they do not pile up
 * in its own queue, from where it would send them long after they were refused.
 */
export class Link {
  /** How many `error` events there were: node-redis has one for each connection that it loses. */
  errors: number = 0;
  /**
   * How many commands the client has sent again for want of an answer, where nothing else tells.
   */
  resent: number = 0;
  readonly #client: LinkedClient;
  readonly #waiters: Set<Waiter> = new Set();
  #wasReady = false;
  #isConnecting = false;
  #isLooking = false;
  #lastError: unknown;
  #closing: Promise<void> | null = null;
  // The last timeout of a caller: for steps that begin later than their operations.
  #patience = PATIENCE;

  constructor(client: LinkedClient, listener: Listener) {
    this.#client = client;
    listener.hear = (error) => {
      this.errors++;
      this.#lastError = error;
      if (isRefusal(error) || (client.failsAtOnce && !this.#wasReady)) this.#end(error);
    };
  }

  /** A new store begins: a client that was closed is connected again. */
  begin(): void {
    if (this.#client.state() !== "closed") return;
    this.#wasReady = false;
    this.#closing = null;
  }

  /**
   * `null` when an operation can go on at once, otherwise when it can. Rejects when the client
   * cannot be connected, and a moment before the caller gives up: a rejected command is not sent
   * any more.
   */
  wait(): Promise<void> | null {
    // No later operation overtakes those that wait.
    if (this.#waiters.size === 0 && this.#isPassable()) return null;
    return new Promise((resolve, reject) => {
      const begun = performance.now();
      const patient = (ms: number): number => begun + ms - Math.min(SOONER, ms / 10);
      const waiter = { resolve, reject, until: patient(this.#patience) };
      askPatience((ms) => {
        this.#patience = ms;
        waiter.until = patient(ms);
      });
      this.#waiters.add(waiter);
      this.#look();
    });
  }

  /**
   * Replaces a connection on which several requests in a row got no answer. Pending requests
   * reject, and are not sent again.
   */
  async replace(): Promise<void> {
    const client = this.#client;
    if (this.#isConnecting || client.state() !== "ready") return;
    this.errors++;
    client.restart?.();
    if (client.stop === undefined) return;
    this.#isConnecting = true;
    try {
      await client.stop();
      if (this.#closing === null) await client.connect();
    } catch (error) {
      // The next operation connects, or says why not.
      this.#wasReady = false;
      this.#end(error);
    } finally {
      this.#isConnecting = false;
      this.#check();
    }
  }

  /** Ends all waiting, and the connection: once, however many stores over it are closed. */
  close(end: () => Promise<void>): Promise<void> {
    this.#end(new Error("the store was closed"));
    return (this.#closing ??= end());
  }

  #isPassable(): boolean {
    const state = this.#client.state();
    if (state === "ready") {
      this.#lastError = undefined;
      return (this.#wasReady = true);
    }
    // Its owner has closed it, or it has given up: it says so itself.
    return state === "closed" && this.#wasReady && !this.#isConnecting;
  }

  #look(): void {
    this.#connect();
    if (this.#isLooking) return;
    this.#isLooking = true;
    const again = (): void => {
      this.#check();
      this.#isLooking = false;
      if (this.#waiters.size > 0) this.#look();
    };
    setTimeout(again, LOOK);
  }

  #connect(): void {
    if (this.#isConnecting || this.#client.state() !== "closed") return;
    this.#isConnecting = true;
    const connecting = this.#client.connect().finally(() => (this.#isConnecting = false));
    // ioredis rejects with no more than "Connection is closed", clusters without the errors of
    // their nodes.
    connecting.then(
      () => this.#check(),
      (error) => this.#end(this.#lastError ?? error),
    );
  }

  #check(): void {
    if (this.#waiters.size === 0) return;
    const now = performance.now();
    // Those first whose callers have given up, also when this program was busy so long that the
    // server is back.
    for (const waiter of this.#waiters) {
      if (waiter.until > now) continue;
      this.#waiters.delete(waiter);
      waiter.reject(this.#lastError ?? new Error("the client is not connected"));
    }
    if (!this.#isPassable()) return;
    for (const { resolve } of this.#waiters) resolve();
    this.#waiters.clear();
  }

  #end(error: unknown): void {
    for (const { reject } of this.#waiters) reject(error);
    this.#waiters.clear();
  }
}
