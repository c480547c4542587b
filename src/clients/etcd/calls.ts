import { KvError } from "../../errors.ts";

/** One key as the server tells it. Numbers are texts. */
export interface EtcdKeyValue {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly mod_revision: string;
  /** `"0"` for none. */
  readonly lease: string;
}

/** The options of a range read. */
export interface EtcdRange {
  key?: Uint8Array;
  range_end?: Uint8Array;
  limit?: number;
  revision?: number;
  sort_order?: "Descend";
  sort_target?: "Key";
  keys_only?: boolean;
}

/** The answer to a range read. */
export interface EtcdRangeResponse {
  readonly kvs: EtcdKeyValue[];
  readonly more: boolean;
}

/** A write of one key. */
export interface EtcdPut {
  key?: Uint8Array;
  value?: Uint8Array;
  lease?: string;
}

/** A condition of a transaction. */
export interface EtcdCompare {
  key?: Uint8Array;
  target?: "Mod" | "Create" | "Lease";
  result?: "Equal";
  mod_revision?: number;
  create_revision?: number;
  lease?: number;
}

/** One part of a transaction. */
export interface EtcdOperation {
  request_range?: EtcdRange;
  request_put?: EtcdPut;
  request_delete_range?: EtcdRange;
  request_txn?: EtcdTransaction;
}

/** A transaction. */
export interface EtcdTransaction {
  compare?: EtcdCompare[];
  success?: EtcdOperation[];
  failure?: EtcdOperation[];
}

/** The answer of one part of a transaction. */
export interface EtcdAnswer {
  readonly response_range?: EtcdRangeResponse | null;
  readonly response_txn?: { readonly responses: EtcdAnswer[] } | null;
}

/** The answer of a transaction. */
export interface EtcdTransactionResponse {
  readonly header: { readonly revision: string };
  readonly succeeded: boolean;
  readonly responses: EtcdAnswer[];
}

/** Until when a call waits. */
export interface EtcdCallOptions {
  deadline?: Date | number;
}

/** The methods of the server that are called, as they are used. */
interface EtcdMethods {
  range(request: EtcdRange): Promise<EtcdRangeResponse>;
  put(request: EtcdPut): Promise<unknown>;
  deleteRange(request: EtcdRange): Promise<unknown>;
  txn(request: EtcdTransaction): Promise<EtcdTransactionResponse>;
}

/** The part of an etcd3 client, or of one of its namespaces, that is used. */
export interface EtcdClient {
  /** The prefix that a namespace adds to its keys. */
  readonly prefix: Uint8Array;
  // It asks for Buffers, and takes any bytes.
  readonly kv: {
    range(...args: never[]): Promise<unknown>;
    put(...args: never[]): Promise<unknown>;
    deleteRange(...args: never[]): Promise<unknown>;
    txn(...args: never[]): Promise<unknown>;
  };
  readonly leaseClient: {
    leaseGrant(
      request: { TTL?: number | string },
      options?: EtcdCallOptions,
    ): Promise<{ readonly ID: string }>;
  };
  namespace(prefix: string): unknown;
  close?(): void;
}

/**
 * How long the server may take to answer, in milliseconds, unless the client has options of its own
 * for calls.
 */
const LONGEST = 30_000;

// gRPC codes of answers that are final: invalid argument, not found, exists, permission denied,
// precondition, out of range, not implemented.
const FINAL: readonly unknown[] = [3, 5, 6, 7, 9, 11, 12];

/** An answer of the server that this client cannot take in one piece. */
export class AnswerTooLarge extends KvError {
  constructor(cause: unknown) {
    super(
      "KV_TOO_LARGE",
      'the answer is larger than this client takes: raise "grpc.max_receive_message_length" in ' +
        "its grpcOptions",
      { cause },
    );
  }
}

/**
 * The error for a request that the server always rejects; `undefined` for everything else.
 */
function refusal(cause: unknown): KvError | undefined {
  const { message } = cause as Error;
  if (/Received message larger than max/.test(message)) return new AnswerTooLarge(cause);
  if (/too many operations/.test(message))
    return new KvError(
      "KV_TOO_LARGE",
      "more operations than the server takes in one transaction: make it smaller, or raise its " +
        "--max-txn-ops",
      { cause },
    );
  if (/request is too large|received message larger than max/.test(message)) {
    return new KvError(
      "KV_TOO_LARGE",
      "more bytes than the server takes in one request: nothing was written; raise its " +
        "--max-request-bytes (1.5 MiB by default)",
      { cause },
    );
  }
  if (/database space exceeded/.test(message)) {
    return new KvError(
      "KV_QUOTA",
      "the database is full: nothing was written; delete something, compact, defragment and " +
        "disarm the alarm, or raise --quota-backend-bytes",
      { cause },
    );
  }
  return undefined;
}

/** Whether a write failed since its lease has ended or was revoked. */
export function isLeaseLost(error: unknown): boolean {
  return error instanceof Error && /requested lease not found/.test(error.message);
}

/** A call as gRPC hands it to those who look at calls on their way. */
type Interceptor = (
  options: unknown,
  next: (options: unknown) => { cancelWithStatus(status: number, details: string): void },
) => unknown;

/** The gRPC code of a call that its caller gave up. */
const CANCELLED = 1;

type Callback = (error: (Error & { code?: number }) | null, response: unknown) => void;
type Run = <T>(
  service: "KV",
  work: (connection: {
    client: {
      [method: string]: (
        request: unknown,
        metadata: unknown,
        options: EtcdCallOptions,
        callback: Callback,
      ) => { cancel(): void };
    };
    metadata: unknown;
  }) => Promise<T>,
) => Promise<T>;

/** The connection pool of a client. Its types do not show it. */
interface EtcdPool {
  withConnection?: Run;
  readonly hosts?: readonly { resetAllServices?(): void }[];
}

/** Calls of the server, by the client's own connections and rules for faults. */
export class EtcdCalls {
  /** The latest revision that an answer told. */
  revision: number = 0;
  readonly #client: EtcdClient;
  /** How the calls that are under way are given up. */
  readonly #cancels = new Set<() => void>();
  #isClosed = false;
  /** How often everything under way was given up. */
  #replacements = 0;

  /** @throws {KvError} KV_INVALID_CLIENT for a client without the methods that are needed. */
  constructor(client: EtcdClient) {
    this.#client = client;
    if (
      typeof client.kv?.txn === "function" &&
      typeof client.leaseClient?.leaseGrant === "function"
    )
      return;
    throw new KvError(
      "KV_INVALID_CLIENT",
      "this etcd client has no raw calls: pass an Etcd3 of etcd3 1.1 or later, or one of its " +
        "namespaces",
    );
  }

  /** How a call is made. */
  options(): EtcdCallOptions {
    // Options of the user's own would be replaced by these.
    const { options } = this.#client as unknown as { options?: { defaultCallOptions?: unknown } };
    return options?.defaultCallOptions === undefined ? { deadline: Date.now() + LONGEST } : {};
  }

  /**
   * Closes the client, unless it is a namespace. Pending calls are aborted: they would keep the
   * process alive until their deadlines.
   */
  close(): void {
    this.#isClosed = true;
    this.#client.close?.();
    for (const cancel of this.#cancels) cancel();
  }

  /**
   * Aborts pending calls, and drops the connections: the next call makes others. They stay in use
   * as long as another client of this process shares them.
   */
  replace(): void {
    this.#replacements++;
    for (const cancel of this.#cancels) cancel();
    const { pool } = this.#client as unknown as { pool?: EtcdPool };
    for (const host of pool?.hosts ?? []) host.resetAllServices?.();
  }

  /** A call by the client's own rules, which `close()` can give up. */
  async ruled<T>(
    options: EtcdCallOptions,
    work: (options: EtcdCallOptions) => Promise<T>,
  ): Promise<T> {
    if (this.#isClosed) throw new Error("the client was closed");
    // Options of the user's own are left alone.
    if (options.deadline === undefined) return work(options);
    const calls = new Set<() => void>();
    const replacements = this.#replacements;
    const interceptor: Interceptor = (how, next) => {
      const call = next(how);
      const cancel = (): void => call.cancelWithStatus(CANCELLED, "the call was given up");
      // The client tries aborted calls again.
      if (replacements !== this.#replacements) cancel();
      calls.add(cancel);
      this.#cancels.add(cancel);
      return call;
    };
    try {
      return await work({ ...options, interceptors: [interceptor] } as EtcdCallOptions);
    } finally {
      for (const cancel of calls) this.#cancels.delete(cancel);
    }
  }

  /**
   * Calls a method of the server. A call that fails without a connection is tried again as the
   * client is configured (etcd3 does so up to three times); `onRepeat` hears of it first: the
   * earlier try may have been carried out.
   *
   * The first try goes around the client's rules: three requests that are too large, or a full
   * database, would make it refuse everything for 5 s.
   *
   * @throws {KvError} KV_TOO_LARGE, KV_QUOTA.
   */
  async call<Name extends keyof EtcdMethods>(
    name: Name,
    request: Parameters<EtcdMethods[Name]>[0],
    onRepeat?: (error: unknown) => void,
  ): Promise<Awaited<ReturnType<EtcdMethods[Name]>>> {
    type Response = Awaited<ReturnType<EtcdMethods[Name]>>;
    const options = this.options();
    const replacements = this.#replacements;
    try {
      return await this.#once<Response>(name, request, options);
    } catch (error) {
      if (
        this.#isClosed ||
        // Sent again, it could overtake later calls of its caller.
        replacements !== this.#replacements ||
        error instanceof KvError ||
        FINAL.includes((error as { code?: unknown }).code)
      )
        throw error;
      onRepeat?.(error);
    }
    try {
      const { kv } = this.#client as unknown as {
        kv: { [name: string]: (request: unknown, options: EtcdCallOptions) => Promise<Response> };
      };
      return await this.ruled(options, (how) => kv[name]!(request, how));
    } catch (error) {
      throw refusal(error) ?? error;
    }
  }

  /** @throws the error of the call, with its gRPC code. */
  async #once<T>(name: string, request: unknown, options: EtcdCallOptions): Promise<T> {
    // Not public in its types, since all that it has is made of it.
    const { pool } = this.#client as unknown as { pool?: EtcdPool };
    let failure: (Error & { code?: number }) | undefined;
    try {
      return await pool!.withConnection!(
        "KV",
        ({ client, metadata }) =>
          new Promise<T>((resolve, reject) => {
            if (this.#isClosed) throw new Error("the client was closed");
            const cancel = (): void => call.cancel();
            const call = client[name]!(request, metadata, options, (error, response) => {
              this.#cancels.delete(cancel);
              if (error === null) {
                this.revision = Math.max(
                  this.revision,
                  Number((response as EtcdTransactionResponse).header.revision),
                );
                return resolve(response as T);
              }
              failure = error;
              return reject(refusal(error) ?? error);
            });
            this.#cancels.add(cancel);
          }),
      );
    } catch (error) {
      // The client has made another error of it, without the code. An access token that has expired
      // is worth another try.
      throw failure === undefined || error instanceof KvError || /auth token/.test(failure.message)
        ? error
        : failure;
    }
  }
}
