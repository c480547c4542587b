import { KvError } from "../errors.ts";
import { listenTo } from "../platform/error-listener.ts";
import { checkOptions } from "../platform/options.ts";
import type { Order } from "../concurrency/order.ts";
import type { MaybePromise, Supports } from "../types.ts";
import { type Manifest, shown } from "./manifests.ts";
import type { Adapter, QuickItems } from "./adapter.ts";

const SOURCE = Symbol.for("anykv.source");

/**
 * A client that knows its adapter. Client factories return it, and `kv()` turns every client into
 * it.
 */
export interface Source {
  readonly type: string;
  readonly supports: Supports;
  /** The single records of a client that answers at once. Opens nothing. */
  quick?(): QuickItems;
  /** The client itself: stores over one client share a call order. */
  readonly client?: unknown;
  /** Host and port of the server, for messages; known once the adapter's code is loaded. */
  readonly address?: string | undefined;
  /** The call order of the client, where it is not told by the client itself. */
  readonly order?: Order;
  /** Of a promise: its result. */
  readonly settled?: Promise<Source>;
  /** Opens the adapter. Called once, by the first operation; again only when it failed. */
  open(): MaybePromise<Adapter>;
  /**
   * Ends the client of a store that is closed without having been opened. Resolves to whether it
   * could.
   */
  close?(): MaybePromise<boolean>;
}

/** A kind of client: its manifest, and how a client becomes an adapter. */
export interface ClientDefinition<Client, Options> extends Manifest {
  /** The names of the options. Default: none. */
  readonly options?: readonly (keyof Options & string)[];
  /** Host and port of the server, for messages, without users and passwords. */
  address?(client: Client): string | undefined;
  /**
   * @throws {KvError} KV_INVALID_CLIENT, KV_CORRUPT or KV_CONNECTION when the client cannot be
   * used.
   */
  open(client: Client, options: Options): MaybePromise<Adapter>;
  /** The single records of a client that answers at once. */
  quick?(client: Client): QuickItems;
  /**
   * Ends a client whose adapter was not opened, or could not be. Default: it is opened for that, if
   * it can be.
   */
  close?(client: Client): unknown;
}

/** A client's factory: `kv(factory(client, options))`. */
export type ClientFactory<Client, Options> = (client: Client, options?: Options) => Source;

/**
 * Makes the factory of one kind of client.
 *
 * @throws {KvError} (the factory) KV_INVALID_CLIENT for something of another kind; KV_INVALID_VALUE
 * for unknown options.
 */
export function defineClient<Client, Options extends object = Record<never, never>>(
  definition: ClientDefinition<Client, Options>,
): ClientFactory<Client, Options> {
  const { type, events, quick, close } = definition;
  return (client, options) => {
    if (!definition.test(client)) {
      throw new KvError(
        "KV_INVALID_CLIENT",
        `this is no client for ${type}: let kv() tell what it is, or see "Clients" in the readme`,
        { client: type },
      );
    }
    checkOptions(options, definition.options ?? [], `the client ${type}`);
    if (events) listenTo(client);
    return {
      [SOURCE]: true,
      ...shown(definition, client, options),
      client,
      ...(quick && { quick: () => quick(client) }),
      get address() {
        return definition.address?.(client);
      },
      open: () => definition.open(client, options ?? ({} as Options)),
      ...(close && { close: async () => (await close(client), true) }),
    } as Source;
  };
}

/** Whether something came from a client's factory. */
export function isSource(input: unknown): input is Source {
  return (
    typeof input === "object" &&
    input !== null &&
    (input as { [SOURCE]?: unknown })[SOURCE] === true
  );
}
