// Brings a fresh machine to the point where everything runs: npm packages, then system packages by
// apt. Only built-in modules, and nothing newer than Node 20: it runs before anything is installed.
import { spawnSync } from "node:child_process";
import { accessSync, constants, existsSync, readFileSync, readdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { performance } from "node:perf_hooks";
import process from "node:process";
import { fileURLToPath, pathToFileURL } from "node:url";
import { endWithThis, run } from "./process-group.mjs";

export const root = fileURLToPath(new URL("..", import.meta.url));

/** The Node that the project brings along; the one on the machine may be too old for the tools. */
export const node = join(
  root,
  "node_modules",
  "node",
  "bin",
  process.platform === "win32" ? "node.exe" : "node",
);

/** The environment in which `node` and every tool are those of node_modules. */
export const env = {
  ...process.env,
  PATH: join(root, "node_modules", ".bin") + delimiter + process.env.PATH,
};

/** System programs: how each is found, the apt package that brings it, and what needs it. */
const programs = [
  { name: "chromium", override: "CHROMIUM", package: "chromium", for: "the browser tests" },
  {
    name: "redis-server",
    override: "REDIS_SERVER",
    package: "redis-server",
    for: "the tests of Redis",
  },
  { name: "etcd", override: "ETCD", package: "etcd-server", for: "the tests of etcd" },
  { name: "postgres", override: "POSTGRES", package: "postgresql", for: "the tests of Postgres" },
];

/** Optional programs. Without one of them its tests print one line and are skipped. */
const extras = [
  {
    name: "chromium-headless-shell",
    package: "chromium-headless-shell",
    for: "browser tests in half of the time",
  },
  {
    name: "firefox-esr",
    override: "FIREFOX",
    package: "firefox-esr",
    for: "the tests in Firefox",
  },
  {
    name: "WebKitWebDriver",
    override: "WEBKIT_DRIVER",
    package: "webkit2gtk-driver",
    for: "the tests in WebKit",
  },
  { name: "Xvfb", override: "XVFB", package: "xvfb", for: "the tests in WebKit" },
  { name: "strace", override: "STRACE", package: "strace", for: "the tests of power loss" },
];

export const seconds = (start) => `${((performance.now() - start) / 1000).toFixed(1)} s`;

const say = (what, text) => console.log(`setup  ${what.padEnd(8)}  ${text}`);

const readJson = (file) => {
  try {
    return JSON.parse(readFileSync(join(root, file), "utf8"));
  } catch {
    return undefined;
  }
};

/**
 * True when node_modules holds what the lockfile asks for (npm leaves its own note of what it
 * installed).
 */
function isInstalled() {
  const installed = readJson("node_modules/.package-lock.json")?.packages;
  const wanted = readJson("package-lock.json")?.packages;
  if (!installed || !wanted || !existsSync(node)) return false;
  return Object.entries(wanted).every(
    ([path, entry]) =>
      path === "" || entry.optional || entry.peer || installed[path]?.version === entry.version,
  );
}

/** Runs `npm ci` in a folder. Returns why it failed, or undefined. */
async function npmCi(folder, ...flags) {
  const { code } = await run("npm", ["ci", "--loglevel=error", ...flags], {
    cwd: folder,
    env: process.env,
    stdio: "inherit",
    shell: process.platform === "win32",
    stall: 20 * 60_000,
  });
  return code === 0
    ? undefined
    : `npm ci failed (${typeof code === "number" ? `exit code ${code}` : code})`;
}

async function installPackages() {
  const start = performance.now();
  if (isInstalled()) return true;
  say("npm", "npm ci");
  const reason = await npmCi(root);
  if (reason === undefined && existsSync(node)) {
    say("npm", `installed (${seconds(start)})`);
    return true;
  }
  say("npm", `${reason ?? `npm ci did not install ${node}`}: see above`);
  return false;
}

/**
 * Installs the runtimes that the tests run on beside Node 24. They have a package.json of their
 * own, because they are large and for one platform. Returns why there are none, or undefined.
 */
export async function installRuntimes() {
  if (process.platform !== "linux" || process.arch !== "x64")
    return "the other runtimes are for Linux on x64";
  const folder = "test/runtimes";
  const installed = readJson(`${folder}/node_modules/.package-lock.json`)?.packages;
  const wanted = readJson(`${folder}/package-lock.json`).packages;
  if (
    installed &&
    Object.entries(wanted).every(
      ([path, { version }]) => path === "" || installed[path]?.version === version,
    )
  )
    return undefined;
  const start = performance.now();
  const reason = await npmCi(join(root, folder), "--ignore-scripts");
  if (reason !== undefined) return `${reason} in ${folder}`;
  say("npm", `the other runtimes are installed (${seconds(start)})`);
  return undefined;
}

const isExecutable = (file) => {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
};

const subfolders = (folder) =>
  existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name, "bin")) : [];

/**
 * Where a program is, or undefined. Debian keeps the servers of PostgreSQL outside PATH, one folder
 * a version.
 */
export function findProgram({ name, override }) {
  const given = override && process.env[override];
  if (given) return isExecutable(given) ? given : undefined;
  return [...process.env.PATH.split(delimiter), "/usr/sbin", ...subfolders("/usr/lib/postgresql")]
    .map((folder) => join(folder, name))
    .find(isExecutable);
}

function apt(...args) {
  const command = ["apt-get", "-o", "DPkg::Lock::Timeout=300", ...args];
  if (process.getuid?.() !== 0) {
    if (!findProgram({ name: "sudo" })) return "neither root nor sudo";
    command.unshift("sudo");
  }
  const { status, error, stderr } = spawnSync(command[0], command.slice(1), {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["inherit", "ignore", "pipe"],
    encoding: "utf8",
  });
  if (status === 0) return undefined;
  return error?.message ?? stderr.trim().split("\n").at(-1) ?? `exit code ${status}`;
}

/** Installs what is missing, and returns the names of the programs that are missing even so. */
function installPrograms(programs) {
  const missing = () => programs.filter((program) => !findProgram(program));
  const wanted = missing().filter(({ override }) => !process.env[override]);
  const found = programs.filter(findProgram).map(({ name }) => name);
  if (found.length > 0) say("system", `${found.join(", ")} found`);
  let reason;
  if (wanted.length > 0 && findProgram({ name: "apt-get" })) {
    const start = performance.now();
    const packages = wanted.map((program) => program.package);
    say("system", `apt-get install ${packages.join(" ")}`);
    // A failed update is not the end: the lists on the machine may still do.
    const updating = apt("update");
    reason = apt("install", "-y", "--no-install-recommends", ...packages) ?? updating;
    say("system", `${reason ? "failed" : "installed"} (${seconds(start)})`);
  }
  for (const { name, override, for: purpose } of missing()) {
    const given = override && process.env[override];
    const why = given
      ? `${override} is ${given}, which cannot be run`
      : (reason ?? "no apt-get here to install it");
    const remedy = `install it${override ? ` or set ${override}` : ""}`;
    say("system", `${name} is missing, and ${purpose} need it: ${remedy} (${why})`);
  }
  return missing().map(({ name }) => name);
}

/**
 * Installs the npm packages where they are missing, and says what it does. With `runtimes` it also
 * installs the other runtimes, with `system` the system programs.
 * `ok` is false when the npm packages are missing; `missing` names the system programs that are.
 */
export async function setup({ runtimes = true, system = true } = {}) {
  const [ok, reason] = await Promise.all([
    installPackages(),
    runtimes ? installRuntimes() : undefined,
  ]);
  if (reason !== undefined) say("npm", `Bun, Deno, Node 22 and 26 are not tried: ${reason}`);
  if (!ok || !system) return { ok, missing: [] };
  const missing = installPrograms(programs);
  // By themselves: not every system has them, and the others must not fail for that.
  installPrograms(extras);
  return { ok, missing };
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) {
  endWithThis();
  const { ok, missing } = await setup();
  process.exitCode = ok && missing.length === 0 ? 0 : 1;
}
