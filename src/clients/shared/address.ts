interface Place {
  readonly host?: unknown;
  readonly port?: unknown;
  readonly path?: unknown;
}

interface Options extends Place {
  readonly url?: unknown;
  readonly socket?: Place;
  readonly connectionString?: unknown;
  readonly hosts?: unknown;
  readonly sentinels?: unknown;
}

/**
 * Host and port of one server; `undefined` where they are not told. Users and passwords are left
 * out.
 */
function placeOf(server: unknown): string | undefined {
  if (typeof server === "string") {
    if (/^[\w+.-]+:\/\//.test(server))
      return URL.canParse(server) ? new URL(server).host || undefined : undefined;
    return server.slice(server.lastIndexOf("@") + 1);
  }
  const { host, port, path } = Object(server) as Place;
  if (typeof path === "string") return path;
  if (typeof host !== "string") return undefined;
  const name = host.includes(":") ? `[${host}]` : host;
  return port === undefined ? name : `${name}:${port as number}`;
}

/**
 * Hosts and ports of the server that a client connects to, for messages; `undefined` where the
 * client does not tell.
 */
export function addressOf(client: unknown): string | undefined {
  const { options, startupNodes, host, port } = client as {
    options?: Options;
    startupNodes?: unknown;
  } & Place;
  const { sentinels, hosts, connectionString, url, socket, ...place } = options ?? {};
  const servers = [
    sentinels ??
      startupNodes ??
      hosts ??
      connectionString ??
      url ??
      socket ??
      (options === undefined ? { host, port } : place),
  ].flat();
  const places = servers.slice(0, 3).flatMap((server) => placeOf(server) ?? []);
  return places.length === 0 ? undefined : places.join(", ");
}
