import { rmSync } from "node:fs";
import { join } from "node:path";
import { Etcd3 } from "etcd3";
import { Daemon, freePorts, program, until } from "./daemon.ts";

/**
 * A server of etcd, or the nodes of a cluster: all of them can be killed, paused and started again
 * with what they had.
 */
export interface EtcdServer {
  readonly nodes: readonly Daemon[];
  /** The address of each node; `url` is that of all, with commas between. */
  readonly urls: readonly string[];
  readonly url: string;
  start(): Promise<unknown>;
  kill(): Promise<unknown>;
  /** Forgets the data while it is down. */
  wipe(): Promise<void>;
  pause(): void;
  resume(): void;
  /** The node that leads. */
  leader(): Promise<Daemon>;
  remove(): Promise<unknown>;
}

interface Status {
  readonly leader: string;
  readonly header: { readonly member_id: string };
}

const statusOf = async (url: string): Promise<Status | null> => {
  const client = new Etcd3({ hosts: url });
  try {
    return await client.maintenance.status({ deadline: Date.now() + 1000 });
  } catch {
    return null;
  } finally {
    client.close();
  }
};

/** Starts so many nodes on free ports. `flags` are further options of the server. */
export async function etcdServer(count = 1, flags: readonly string[] = []): Promise<EtcdServer> {
  const command = program("etcd", "ETCD");
  const ports = await freePorts(count * 2);
  const urls = ports.slice(0, count).map((port) => `http://127.0.0.1:${port}`);
  const peers = ports.slice(count).map((port) => `http://127.0.0.1:${port}`);
  const cluster = peers.map((peer, i) => `node${i}=${peer}`).join(",");
  const nodes = urls.map(
    (url, i) =>
      new Daemon({
        command,
        port: ports[i]!,
        args: (folder) => [
          ...[
            "--name",
            `node${i}`,
            "--data-dir",
            join(folder, "data"),
            "--listen-client-urls",
            url,
            "--advertise-client-urls",
            url,
          ],
          ...[
            "--listen-peer-urls",
            peers[i]!,
            "--initial-advertise-peer-urls",
            peers[i]!,
            "--initial-cluster",
            cluster,
          ],
          ...[
            "--unsafe-no-fsync",
            "--logger",
            "zap",
            "--log-level",
            "error",
            "--heartbeat-interval",
            "50",
            "--election-timeout",
            "500",
            ...flags,
          ],
        ],
      }),
  );
  // A node listens before it has a leader, and answers nothing until then.
  const hasLeader = async (url: string): Promise<boolean> =>
    Number((await statusOf(url))?.leader ?? 0) > 0;
  const each = (work: (node: Daemon) => unknown) => async () =>
    void (await Promise.all(nodes.map(work)));
  const server: EtcdServer = {
    nodes,
    urls,
    url: urls.join(","),
    async start() {
      await Promise.all(nodes.map((node) => node.start()));
      for (const url of urls) await until(`${url} has a leader`, () => hasLeader(url));
    },
    kill: each((node) => node.kill()),
    wipe: each((node) => rmSync(join(node.folder, "data"), { recursive: true, force: true })),
    pause: () => nodes.forEach((node) => node.pause()),
    resume: () => nodes.forEach((node) => node.resume()),
    async leader() {
      for (const [i, url] of urls.entries()) {
        const status = await statusOf(url);
        if (status !== null && status.leader === status.header.member_id) return nodes[i]!;
      }
      throw new Error("no node leads");
    },
    remove: each((node) => node.remove()),
  };
  await server.start();
  return server;
}
