import { Daemon, freePorts, program } from "./daemon.ts";

/** A Redis of one's own for whoever needs just any. */
export async function startRedis(): Promise<{ readonly url: string; remove(): Promise<void> }> {
  const [port] = await freePorts(1);
  const args = ["--port", String(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"];
  const daemon = new Daemon({ command: program("redis-server", "REDIS_SERVER"), port: port!, args: (folder) => [...args, "--dir", folder] });
  await daemon.start();
  return { url: `redis://127.0.0.1:${port}`, remove: () => daemon.remove() };
}
