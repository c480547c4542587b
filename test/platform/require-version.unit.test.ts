import { describe, expect, it } from "vitest";
import { requireVersion } from "../../src/platform/require-version.ts";

const check = (needed: string, found: string | undefined) => () =>
  requireVersion("anykv/reactive/vue", "vue", needed, found);

describe("requireVersion", () => {
  it.each(["3.5.0", "3.5.45", "3.10.0", "4.0.0-beta.1", "3.5.0-rc.2"])(
    "accepts %s where 3.5 is needed",
    (found) => {
      expect(check("3.5", found)).not.toThrow();
    },
  );

  it.each(["2.7.16", "3.4.38", "3.0.11", "", "unknown"])(
    "rejects %j where 3.5 is needed",
    (found) => {
      expect(check("3.5", found)).toThrow(expect.objectContaining({ code: "KV_NOT_SUPPORTED" }));
    },
  );

  it("compares the parts as numbers", () => {
    expect(check("18", "9.1.0")).toThrow("needs vue 18 or later");
    expect(check("18", "100.0.0")).not.toThrow();
  });

  it("names the entry, the package, both versions and the command", () => {
    expect(check("3.5", "2.7.16")).toThrow(
      "anykv/reactive/vue needs vue 3.5 or later, but version 2.7.16 is installed: npm " +
        "install vue@latest",
    );
    expect(check("3.5", undefined)).toThrow(
      "anykv/reactive/vue needs vue 3.5 or later, but an older version is installed: " +
        "npm install vue@latest",
    );
  });
});
