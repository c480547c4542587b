interface Builtins {
  "node:buffer": typeof import("node:buffer");
  "node:crypto": typeof import("node:crypto");
  "node:http": typeof import("node:http");
  "node:fs": typeof import("node:fs");
  "node:fs/promises": typeof import("node:fs/promises");
  "node:module": typeof import("node:module");
  "node:os": typeof import("node:os");
  "node:path": typeof import("node:path");
  "node:stream": typeof import("node:stream");
  "node:timers/promises": typeof import("node:timers/promises");
  "node:url": typeof import("node:url");
}

/**
 * A built-in module of the runtime, without an import: bundlers for browsers refuse those, also
 * where they never run. In a browser bundle of a single file it is empty, and nothing uses it; in
 * Workers as well: their part of Node has no files, and listens on no port.
 */
export function builtin<Name extends keyof Builtins>(name: Name): Builtins[Name] {
  const runtime =
    globalThis.navigator?.userAgent === "Cloudflare-Workers"
      ? undefined
      : (globalThis.process as Partial<NodeJS.Process> | undefined);
  return (runtime?.getBuiltinModule?.(name) ?? {}) as Builtins[Name];
}
