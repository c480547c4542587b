import { once } from "node:events";
import { createConnection, createServer, type AddressInfo, type Socket } from "node:net";

/** Stands between a client and a server, and makes connections half-open when it is told to. */
export interface SilencingProxy {
  readonly port: number;
  /** How many connections were made. */
  readonly made: number;
  /**
   * From here on the connections that are open stay open, and what is sent over them is lost:
   * everything, or only what the server answers. New connections work.
   */
  silence(lost: "everything" | "answers"): void;
  remove(): Promise<void>;
}

interface Pair {
  readonly near: Socket;
  readonly far: Socket;
  lost: "nothing" | "everything" | "answers";
}

/** A proxy for a port of this machine. */
export async function silencingProxy(port: number): Promise<SilencingProxy> {
  const pairs = new Set<Pair>();
  let made = 0;
  const server = createServer((near) => {
    made++;
    const far = createConnection(port, "127.0.0.1");
    const pair: Pair = { near, far, lost: "nothing" };
    pairs.add(pair);
    near.on("data", (bytes) => void (pair.lost !== "everything" && far.write(bytes)));
    far.on("data", (bytes) => void (pair.lost === "nothing" && near.write(bytes)));
    // The end of one side is lost with the rest.
    for (const [socket, other] of [
      [near, far],
      [far, near],
    ] as const) {
      socket.on("error", () => undefined);
      socket.on("close", () => void (pair.lost === "nothing" && other.destroy()));
    }
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    port: (server.address() as AddressInfo).port,
    get made() {
      return made;
    },
    silence(lost) {
      for (const pair of pairs) pair.lost = lost;
    },
    async remove() {
      for (const { near, far } of pairs) for (const socket of [near, far]) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
