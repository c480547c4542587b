/**
 * A page's cookies with the rules of browsers that matter here: sizes, life in seconds, a path, a
 * limit with eviction. For quick runs only.
 */
export function fakeDocument(limit = 180): { cookie: string } {
  const kept = new Map<string, { value: string; until: number; used: number }>();
  let uses = 0;
  const drop = (): void => {
    for (const [name, { until }] of kept) if (until <= performance.now()) kept.delete(name);
  };
  return {
    get cookie() {
      drop();
      return [...kept].map(([name, { value }]) => `${name}=${value}`).join("; ");
    },
    set cookie(line) {
      const [pair = "", ...attributes] = line.split(";").map((part) => part.trim());
      const name = pair.slice(0, pair.indexOf("="));
      const value = pair.slice(pair.indexOf("=") + 1);
      if (
        name.length + value.length > 4096 ||
        // oxlint-disable-next-line no-control-regex
        /[\u0000-\u001f\u007f;]/.test(pair) ||
        /^__(host|secure)-/i.test(name)
      )
        return;
      const age = attributes.find((attribute) => /^max-age=/i.test(attribute));
      const until = age === undefined ? Infinity : performance.now() + Number(age.slice(8)) * 1000;
      kept.set(name, { value, until, used: ++uses });
      drop();
      if (kept.size <= limit) return;
      const oldest = [...kept].sort((a, b) => a[1].used - b[1].used);
      for (const [old] of oldest.slice(0, kept.size - limit + 30)) kept.delete(old);
    },
  };
}
