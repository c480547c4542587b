import { execFileSync } from "node:child_process";
import {
  chownSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Daemon, freePorts, program, until } from "./daemon.ts";

/**
 * A server of Postgres with the users "anykv" (trusted) and "secret" (by password), and the
 * database "anykv".
 */
export interface PostgresServer {
  readonly daemon: Daemon;
  readonly url: string;
  /** The same for a user who needs this password. */
  withPassword(password: string): string;
  start(): Promise<unknown>;
  kill(): Promise<unknown>;
  /** Forgets the data while it is down. */
  wipe(): Promise<void>;
  pause(): void;
  resume(): void;
  remove(): Promise<unknown>;
}

/**
 * The id of a user of the system; `undefined` for the one who runs the tests. Postgres refuses to
 * run as root.
 */
const idOf = (flag: "-u" | "-g"): number | undefined =>
  process.getuid?.() === 0 ? Number(execFileSync("id", [flag, "postgres"])) : undefined;

/**
 * The processes that a process has started: as Linux tells it in files, or else by `ps`, which
 * systems without those always have.
 */
function childrenOf(parent: number): number[] {
  const parents = existsSync("/proc/self/stat")
    ? readdirSync("/proc")
        .filter((name) => /^\d+$/.test(name))
        .map((name) => [Number(name), parentOf(name)])
    : execFileSync("ps", ["-A", "-o", "pid=,ppid="], { encoding: "utf8" })
        .trim()
        .split("\n")
        .map((line) => line.trim().split(/\s+/).map(Number));
  return parents.filter(([, ppid]) => ppid === parent).map(([pid]) => pid!);
}

function parentOf(pid: string): number {
  try {
    // "1 (name, which may have spaces and parentheses) S 0 …"
    return Number(/.*\) \S (\d+)/s.exec(readFileSync(`/proc/${pid}/stat`, "utf8"))![1]);
  } catch {
    // It has ended meanwhile.
    return Number.NaN;
  }
}

/** The password of the user "secret". */
export const PASSWORD = "p4ss-w0rd";

/** Starts a server on a free port. `settings` are options such as `"max_connections=20"`. */
export async function postgresServer(settings: readonly string[] = []): Promise<PostgresServer> {
  const [port] = (await freePorts(1)) as [number];
  const [uid, gid] = [idOf("-u"), idOf("-g")];
  const owner = uid === undefined ? {} : { uid, gid: gid! };

  function makeOwn(path: string): void {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    if (uid !== undefined) chownSync(path, uid, gid!);
  }

  /** Makes an empty database with its users in `folder/data`, without a server. */
  function initialize(folder: string): void {
    const data = join(folder, "data");
    [folder, data].forEach(makeOwn);
    const run = (command: string, args: readonly string[], input?: string): unknown =>
      execFileSync(program(command, command.toUpperCase()), args, {
        ...owner,
        cwd: folder,
        input,
        stdio: ["pipe", "ignore", "pipe"],
        env: { ...process.env, TZ: "UTC" },
      });
    run("initdb", [
      "--pgdata",
      data,
      "--username",
      "anykv",
      "--auth",
      "trust",
      "--encoding",
      "UTF8",
      "--locale",
      "C.UTF-8",
      "--no-sync",
    ]);
    run(
      "postgres",
      ["--single", "-D", data, "-c", "fsync=off", "postgres"],
      `CREATE DATABASE anykv\nCREATE USER secret PASSWORD '${PASSWORD}'\n`,
    );
    const rules = join(data, "pg_hba.conf");
    execFileSync(
      "sh",
      [
        "-c",
        `printf 'host all secret all scram-sha-256\\nhost all all all trust\\nlocal all ` +
          `all trust\\n' > '${rules}'`,
      ],
      { ...owner },
    );
  }

  /** Copies an empty database that all servers of a test run share: it takes a second to make. */
  function prepare(folder: string): void {
    // Only a test run has a temporary folder of its own, which is removed with the template.
    if (process.env.ANYKV_DISK === undefined) return initialize(folder);
    const template = join(tmpdir(), "postgres-template");
    if (!existsSync(template)) {
      const own = join(tmpdir(), `postgres-template-${process.pid}`);
      initialize(own);
      try {
        renameSync(own, template);
      } catch (error) {
        // Another test file was faster.
        if (!existsSync(template)) throw error;
        rmSync(own, { recursive: true });
      }
    }
    makeOwn(folder);
    execFileSync("cp", ["-R", join(template, "data"), join(folder, "data")], {
      ...owner,
      cwd: folder,
    });
  }

  const daemon = new Daemon({
    command: program("postgres", "POSTGRES"),
    port,
    uid,
    prepare,
    args: (folder) => [
      "-D",
      join(folder, "data"),
      ...[
        "listen_addresses=127.0.0.1",
        `port=${port}`,
        "unix_socket_directories=",
        "fsync=off",
        ...settings,
      ].flatMap((setting) => ["-c", setting]),
    ],
  });
  /**
   * What it started goes with it, or it could not start again. Each of them is in a group of its
   * own.
   */
  const children = (): number[] => childrenOf(daemon.pid);
  const signal = (pids: readonly number[], name: NodeJS.Signals | 0): boolean =>
    pids
      .map((pid) => {
        try {
          return process.kill(pid, name);
        } catch {
          return false;
        }
      })
      .some(Boolean);
  let isDown = true;
  const server: PostgresServer = {
    daemon,
    url: `postgres://anykv@127.0.0.1:${port}/anykv`,
    withPassword: (password) => `postgres://secret:${password}@127.0.0.1:${port}/anykv`,
    async start() {
      await daemon.start();
      isDown = false;
      const { default: pg } = (await import("pg" as string)) as {
        default: {
          Client: new (options: object) => {
            connect(): Promise<void>;
            end(): Promise<void>;
            on(event: string, listener: () => void): void;
          };
        };
      };
      await until("postgres takes connections", async () => {
        const client = new pg.Client({ connectionString: server.url });
        client.on("error", () => {});
        return client.connect().then(
          () => client.end().then(() => true),
          () => false,
        );
      });
    },
    async kill() {
      if (isDown) return;
      isDown = true;
      const pids = children();
      signal(pids, "SIGKILL");
      await daemon.kill();
      await until("its processes have ended", () => !signal(pids, 0));
    },
    async wipe() {
      rmSync(join(daemon.folder, "data"), { recursive: true, force: true });
      prepare(daemon.folder);
    },
    pause() {
      signal([daemon.pid, ...children()], "SIGSTOP");
    },
    resume() {
      signal([...children(), daemon.pid], "SIGCONT");
    },
    async remove() {
      // It would leave its shared memory behind if it were killed.
      if (!isDown) await daemon.end("SIGQUIT");
      await daemon.remove();
    },
  };
  await server.start();
  return server;
}
