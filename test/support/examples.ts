/** An example of the documentation, and what it says that it prints. */
export interface Example {
  /** Where it stands: file and line. */
  readonly where: string;
  /**
   * The word behind `js` on its fence: "" runs in Node, "browser" in Chromium, "deno" in Deno,
   * "workerd" in a worker, "test" under node --test; or "lua".
   */
  readonly kind: string;
  readonly code: string;
}

/** The lines of a code that print something, by number from 1, with the comment that says what. */
export function expectations(code: string): Map<number, string> {
  const found = new Map<number, string>();
  code.split("\n").forEach((line, i) => {
    const comment =
      /console\.log\(.*\);?\s*\}?\s*\/\/ (.*)$/.exec(line)?.[1] ??
      /\bprint\(.*\)\s*-- (.*)$/.exec(line)?.[1];
    // A sentence may stand on the line below, where it would be too long.
    const below = /console\.log\(.*\);$/.test(line)
      ? /^\s*\/\/ (.*)$/.exec(code.split("\n")[i + 1] ?? "")?.[1]
      : undefined;
    if ((comment ?? below) !== undefined) found.set(i + 1, (comment ?? below)!);
  });
  return found;
}

/**
 * Whether the printed arguments are what the comment says: the value as JavaScript, or the line as
 * text.
 */
export function agrees(args: readonly unknown[], comment: string): boolean {
  const text = args.map((arg) => (typeof arg === "string" ? arg : JSON.stringify(arg))).join(" ");
  if (text === comment) return true;
  try {
    // The comment is a literal of our own documentation.
    const value: unknown = new Function(`return (${comment});`)();
    return args.length === 1 && JSON.stringify(args[0]) === JSON.stringify(value);
  } catch {
    return false;
  }
}

/** The fenced `js` and `lua` blocks of a Markdown text. */
export function ofMarkdown(text: string, file: string): Example[] {
  return [...text.matchAll(/^```(js|lua)(?: (\w+))?\n([\s\S]*?)^```$/gm)].map(
    ({ index, 1: language, 2: kind, 3: code }) => ({
      where: `${file}:${text.slice(0, index).split("\n").length}`,
      kind: language === "lua" ? "lua" : (kind ?? ""),
      code: code!,
    }),
  );
}

/** The `@example` sections of the docstrings of a source. */
export function ofSource(text: string, file: string): Example[] {
  return [...text.matchAll(/\/\*\*[\s\S]*?\*\//g)].flatMap(({ index, 0: doc }) => {
    const example = /^\s*\* @example\n([\s\S]*?)(?=^\s*\* @|\*\/)/m.exec(doc);
    if (example === null) return [];
    const lines = example[1]!.split("\n").map((line) => line.replace(/^\s*\* ?/, ""));
    const fence = /^```js ?(\w*)$/.exec(lines[0]!);
    const code = lines
      .filter((line) => !line.startsWith("```"))
      .join("\n")
      .trimEnd();
    return [
      {
        where: `${file}:${text.slice(0, index + example.index).split("\n").length}`,
        kind: fence?.[1] ?? "",
        code,
      },
    ];
  });
}

/** An example that does not begin a program goes on with a store in memory. */
export function complete(code: string): string {
  return /^(import (?:\{ )?|const )kv\b/m.test(code)
    ? code
    : `import kv from "anykv"; const store = kv();${code.startsWith("\n") ? "" : " "}${code}`;
}
