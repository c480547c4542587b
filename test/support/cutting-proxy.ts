import { once } from "node:events";
import { createConnection, createServer, type AddressInfo, type Socket } from "node:net";

/** Stands between a client and a server, and loses answers when it is told to. */
export interface CuttingProxy {
  readonly port: number;
  readonly url: string;
  /**
   * Passes requests on until the `nth` one that holds this text, waits for its answer, lets
   * something happen, and cuts the connection instead of passing the answer on. Resolves when it
   * has. Requests are told apart by packets: one that is to be cut has to be alone under way.
   */
  cut(
    text: string,
    options?: { readonly nth?: number; readonly meanwhile?: (() => Promise<unknown>) | undefined },
  ): Promise<void>;
  remove(): Promise<void>;
}

interface Plan {
  readonly text: string;
  left: number;
  meanwhile(): Promise<unknown>;
  done(): void;
}

/** A proxy for a port of this machine. */
export async function cuttingProxy(port: number): Promise<CuttingProxy> {
  let plan: Plan | null = null;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = createConnection(port, "127.0.0.1");
    const end = (): void => void [near, far].forEach((socket) => socket.destroy());
    let due: Plan | null = null;
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on("error", end).on("close", () => {
        sockets.delete(socket);
        end();
      });
    }
    near.on("data", (bytes) => {
      if (plan !== null && bytes.includes(plan.text) && --plan.left === 0)
        [due, plan] = [plan, null];
      far.write(bytes);
    });
    far.on("data", async (bytes) => {
      if (due === null) return void near.write(bytes);
      const { meanwhile, done } = due;
      await meanwhile();
      end();
      done();
    });
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port: own } = server.address() as AddressInfo;
  return {
    port: own,
    url: `redis://127.0.0.1:${own}`,
    cut: (text, { nth = 1, meanwhile = async () => undefined } = {}) =>
      new Promise((done) => (plan = { text, left: nth, meanwhile, done })),
    async remove() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
