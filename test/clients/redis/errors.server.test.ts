import { basename } from "node:path";
import { inspect } from "node:util";
import { describe, expect, it } from "vitest";
import { redisError } from "../../../src/clients/redis/errors.ts";

const secret = "hunter2-hunter2";
class ReplyError extends Error {
  override get name(): string {
    return "ReplyError";
  }
}
const reply = (message: string): ReplyError =>
  Object.assign(new ReplyError(message), { command: { name: "auth", args: [secret] } });
const shown = (error: unknown): string => inspect(error, { depth: 9, showHidden: true });

describe("the errors of clients", () => {
  const CASES: { readonly [name: string]: () => Error } = {
    "with their command": () => reply("WRONGPASS no"),
    "with other arguments": () =>
      Object.assign(reply("ERR no"), {
        code: "EX",
        errno: 5,
        buffer: Buffer.from(secret),
        replies: [secret, reply("ERR a")],
        send: () => secret,
        args: [[secret]],
      }),
    "within others": () =>
      new Error("a", {
        cause: Object.assign(reply("ERR b"), {
          lastNodeError: reply("ERR c"),
          previousErrors: [reply("ERR d")],
        }),
      }),
    "of several": () => new AggregateError([reply("ERR a"), new Error("b"), secret], "all"),
    "that quote arguments": () =>
      new Error(`ERR unknown command 'SET', with args beginning with: 'a' '${secret}' `),
    "that quote arguments of scripts": () =>
      reply(`ERR unknown command 'EVAL', with args beginning with: '\nlocal' '${secret}' \n`),
  };

  it.each(Object.entries(CASES))("%s show none of it", (_, make) => {
    const error = make();
    expect(shown(error).includes(secret) || shown(error).includes("Uint8Array")).toBe(true);
    const told = redisError(error) as Error;
    expect(shown(told)).not.toContain(secret);
    expect(JSON.stringify(told, Object.getOwnPropertyNames(told))).not.toContain(secret);
    expect(told).toBeInstanceOf(error.constructor);
    expect([told.name, told.message]).toEqual([
      error.name,
      error.message.replace(/, with args.*/s, ""),
    ]);
    expect(told.stack).toContain(basename(import.meta.filename));
    // What the client itself tells others stays as it is.
    expect(told).not.toBe(error);
    expect(Object.keys(error)).toEqual(Object.keys(make()));
  });

  it("keep host and port, and are unchanged where there is nothing to hide", () => {
    const told = redisError(
      Object.assign(reply("ERR no"), { code: "EX", errno: 5, previousErrors: [reply("ERR d")] }),
    ) as Error & { previousErrors: Error[]; command?: unknown };
    expect(told).toMatchObject({
      code: "EX",
      errno: 5,
      message: "ERR no",
      previousErrors: [{ message: "ERR d" }],
    });
    expect(["command" in told, "command" in told.previousErrors[0]!]).toEqual([false, false]);
    const plain = Object.assign(
      new AggregateError([new Error("a")], "b", { cause: new Error("c") }),
      { code: "ECONNREFUSED" },
    );
    expect(redisError(plain)).toBe(plain);
    expect(redisError("no error")).toBe("no error");
    expect(redisError(undefined)).toBe(undefined);
  });
});
