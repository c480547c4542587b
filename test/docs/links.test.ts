import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { describe, expect, it } from "vitest";

const root = path.join(import.meta.dirname, "../..");
const docs = readdirSync(path.join(root, "docs"), { recursive: true, encoding: "utf8" })
  .filter((file) => file.endsWith(".md"))
  .map((file) => path.join("docs", file));
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "llms.txt", ...docs];

const textOf = (file: string): string => readFileSync(path.join(root, file), "utf8");
const withoutCode = (text: string): string => text.replace(/^```[\s\S]*?^```$/gm, "");

/** The anchor that GitHub gives a heading. */
function anchorOf(heading: string): string {
  const text = heading.replace(/\[([^\]]*)\]\([^)]*\)/g, "$1");
  return text
    .trim()
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\p{M}_ -]/gu, "")
    .replaceAll(" ", "-");
}

/** The anchors of a page: a heading that comes again has a number behind it. */
function anchorsOf(text: string): Set<string> {
  const counts = new Map<string, number>();
  const headings = withoutCode(text).matchAll(/^#{1,6} (.+)$/gm);
  return new Set(
    [...headings].map(([, heading]) => {
      const anchor = anchorOf(heading!);
      const count = counts.get(anchor) ?? 0;
      counts.set(anchor, count + 1);
      return count === 0 ? anchor : `${anchor}-${count}`;
    }),
  );
}

/** The targets of the links of a text, without those to other sites. */
const targetsOf = (text: string): string[] =>
  [...withoutCode(text).matchAll(/\]\(([^()\s]+)\)/g)]
    .map(([, target]) => target!)
    .filter((target) => !/^[a-z]+:/.test(target));

/** Why a link leads nowhere; `null` where it leads somewhere. */
function faultOf(page: string, target: string): string | null {
  const [file = "", anchor] = target.split("#");
  const linked = file === "" ? page : path.join(path.dirname(page), file);
  if (!existsSync(path.join(root, linked))) return `${target}: there is no ${linked}`;
  if (anchor === undefined || anchorsOf(textOf(linked)).has(anchor)) return null;
  return `${target}: ${linked} has no heading for it`;
}

describe("links", () => {
  it("makes the anchors of headings as GitHub does", () => {
    const text = "# get, set\n## KV_FOREIGN\n## `a` [b](c.md)\n## get, set\n```\n# no heading\n```";
    expect([...anchorsOf(text)]).toEqual(["get-set", "kv_foreign", "a-b", "get-set-1"]);
  });

  it.each(pages)("%s links to files and headings that exist", (page) => {
    const faults = targetsOf(textOf(page)).map((target) => faultOf(page, target));
    expect(faults.filter((fault) => fault !== null)).toEqual([]);
  });

  it("reaches every page from the list of pages", () => {
    const listed = [...targetsOf(textOf("docs/README.md")), ...targetsOf(textOf("llms.txt"))];
    const linked = new Set(
      listed.flatMap((target) => [path.join("docs", target.split("#")[0]!), target]),
    );
    const decisions = docs.filter((page) => page.startsWith("docs/decisions/"));
    const others = docs.filter((page) => !decisions.includes(page) && page !== "docs/README.md");
    expect(others.filter((page) => !linked.has(page))).toEqual([]);
    const numbered = new Set(
      targetsOf(textOf("docs/decisions/README.md")).map((file) =>
        path.join("docs/decisions", file),
      ),
    );
    expect(decisions.filter((page) => !page.endsWith("README.md") && !numbered.has(page))).toEqual(
      [],
    );
  });

  it.each(["docs/architecture.md", ...docs.filter((page) => page.includes("decisions/"))])(
    "%s names source files that exist",
    (page) => {
      const named = [
        ...withoutCode(textOf(page)).matchAll(/`((?:[\w-]+\/)+[\w.-]+\.(?:ts|mjs))`/g),
      ];
      const missing = named.filter(([, file]) =>
        [file!, `src/${file}`].every((at) => !existsSync(path.join(root, at))),
      );
      expect(missing.map(([, file]) => file)).toEqual([]);
    },
  );

  it("has a README of at most 250 lines", () => {
    expect(textOf("README.md").split("\n").length - 1).toBeLessThanOrEqual(250);
  });

  it("has a heading for each error code", () => {
    const codes = [...textOf("src/errors.ts").matchAll(/^ {2}\| "(KV_\w+)"/gm)].map(([, code]) =>
      code!.toLowerCase(),
    );
    expect(codes.length).toBeGreaterThan(15);
    const anchors = anchorsOf(textOf("docs/errors.md"));
    expect(codes.filter((code) => !anchors.has(code))).toEqual([]);
  });
});
