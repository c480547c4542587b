import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { isFull } from "../support/runs.ts";
import { Visitor } from "../support/web-app.ts";

const root = path.join(import.meta.dirname, "../..");
const folder = mkdtempSync(path.join(tmpdir(), "anykv-examples-"));
const running = new Set<ChildProcess>();

afterAll(async () => {
  await Promise.all([...running].map(stop));
  rmSync(folder, { recursive: true, force: true });
});

async function stop(child: ChildProcess): Promise<void> {
  running.delete(child);
  if (child.exitCode !== null) return;
  const ended = new Promise((resolve) => child.once("close", resolve));
  child.kill("SIGKILL");
  await ended;
}

/** A test of full runs alone. */
const inFull = isFull ? it : (): void => undefined;

const args = ["--disable-warning=ExperimentalWarning", "scripts/example.mjs"];

/** Starts an example as a person does. Resolves to its address and a function that ends it. */
async function start(name: string, file = name): Promise<{ url: string; end(): Promise<void> }> {
  const env = { ...process.env, PORT: "0", STORE_FILE: path.join(folder, `${file}.json`) };
  const child = spawn(process.execPath, [...args, name], { cwd: root, env });
  running.add(child);
  let errors = "";
  child.stderr.on("data", (chunk: Buffer) => (errors += chunk.toString()));
  const url = await new Promise<string>((resolve, reject) => {
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => {
      out += chunk.toString();
      const address = /http:\/\/127\.0\.0\.1:\d+(?=\n)/.exec(out)?.[0];
      if (address !== undefined) resolve(address);
    });
    child.once("close", () => reject(new Error(errors)));
  });
  return { url, end: () => stop(child) };
}

describe.concurrent("the examples of integrations", () => {
  for (const name of ["express", "fastify", "hono", "react-router", "nest"]) {
    it(`log in, log out and limit: ${name}`, async () => {
      const { url, end } = await start(name);
      const ann = new Visitor(url);
      expect((await ann.get("/")).text).toContain("Log in");
      expect((await ann.get("/login/ann", "POST")).text).toContain("Hello ann");
      const stranger = await new Visitor(url).get("/");
      expect(stranger.text).toContain("Log in");
      if (name === "hono") {
        const quote = /quote [\d.]+/.exec(stranger.text)![0];
        expect((await ann.get("/")).text).toContain(quote);
      }
      const thief = ann.copy();
      expect((await ann.get("/logout", "POST")).text).toContain("Log in");
      expect((await thief.get("/")).text).toContain("Log in");
      if (["express", "fastify", "nest"].includes(name)) {
        const login = async () => (await new Visitor(url).get("/login/a", "POST")).status;
        const statuses = await Promise.all(Array.from({ length: 25 }, login));
        expect(new Set(statuses)).toEqual(new Set([200, 429]));
      }
      await end();
    });
  }

  it("keep logins over a restart", async () => {
    const first = await start("express", "restart");
    const ann = new Visitor(first.url);
    await ann.get("/login/ann", "POST");
    await first.end();
    const second = await start("express", "restart");
    expect((await new Visitor(second.url, ann.cookies).get("/")).text).toContain("Hello ann");
    await second.end();
  });

  it("sign up, sign in, and limit sign-ins: better-auth", async () => {
    const { url } = await start("better-auth");
    const post = (route: string, password: string) =>
      fetch(`${url}/api/auth/${route}/email`, {
        method: "POST",
        headers: { "content-type": "application/json", origin: url },
        body: JSON.stringify({ name: "Ann", email: "ann@example.com", password }),
      });
    const signedUp = await post("sign-up", "a long password");
    const cookie = signedUp.headers
      .getSetCookie()
      .map((line) => line.split(";")[0])
      .join("; ");
    const home = await (await fetch(url, { headers: { cookie } })).text();
    expect(home).toContain("Hello ann%40example.com");
    expect(await (await fetch(url)).text()).toContain("Sign up");
    const statuses: number[] = [];
    for (let i = 0; i < 7; i++) statuses.push((await post("sign-in", "wrong password")).status);
    expect([statuses[0], statuses.at(-1)]).toEqual([401, 429]);
  });

  it("print their names for an unknown one, and have less than 60 lines", async () => {
    const child = spawn(process.execPath, [...args, "expres"], { cwd: root });
    let out = "";
    child.stdout.on("data", (chunk: Buffer) => (out += chunk.toString()));
    expect(await new Promise((resolve) => child.once("close", resolve))).toBe(1);
    expect(out).toContain("There is no example expres.");
    expect(out).toContain("npm run example -- express\n");
    const examples = path.join(root, "examples/with");
    for (const file of readdirSync(examples).filter((one) => one.endsWith(".ts")))
      expect(
        readFileSync(path.join(examples, file), "utf8").trimEnd().split("\n").length,
      ).toBeLessThan(60);
  });

  // It is installed and built first, which takes half a minute.
  inFull("cache and revalidate: next", async () => {
    const quote = async (url: string) =>
      /quote (?:<!-- -->)?[\d.]+/.exec(await (await fetch(url)).text())![0];
    const first = await start("next");
    const before = await quote(first.url);
    expect(await quote(first.url)).toBe(before);
    const page = await (await fetch(first.url)).text();
    const action = /name="(\$ACTION_ID_\w+)"/.exec(page)![1]!;
    const form = new FormData();
    form.set(action, "");
    const pressed = await fetch(first.url, {
      method: "POST",
      body: form,
      headers: { origin: first.url },
    });
    expect(pressed.status).toBe(200);
    const after = await quote(first.url);
    expect(after).not.toBe(before);
    expect(await quote(first.url)).toBe(after);
    await first.end();
  });
});
