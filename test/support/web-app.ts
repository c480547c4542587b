import { createServer, type RequestListener, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterAll } from "vitest";

const servers: Server[] = [];
afterAll(() => {
  for (const server of servers) {
    server.close();
    server.closeAllConnections();
  }
});

/** Serves an app on a free port of loopback until the test file is done. Resolves to its URL. */
export async function serve(listener: RequestListener): Promise<string> {
  const server = createServer(listener);
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** What came back for a request. */
export interface Answer {
  readonly status: number;
  readonly text: string;
  readonly headers: Headers;
}

/** A person with a browser: it keeps cookies. */
export class Visitor {
  readonly cookies: Map<string, string>;
  readonly #url: string;

  constructor(url: string, cookies: Iterable<readonly [string, string]> = []) {
    this.#url = url;
    this.cookies = new Map(cookies);
  }

  /** The same person in another tab or with an old cookie. */
  copy(): Visitor {
    return new Visitor(this.#url, this.cookies);
  }

  async get(path: string, method = "GET"): Promise<Answer> {
    const cookie = [...this.cookies].map(([name, value]) => `${name}=${value}`).join("; ");
    const response = await fetch(new URL(path, this.#url), {
      method,
      headers: { cookie },
      redirect: "manual",
    });
    for (const line of response.headers.getSetCookie()) {
      const [, name, value] = /^([^=]+)=([^;]*)/.exec(line)!;
      if (value === "" || /max-age=0\b/i.test(line)) this.cookies.delete(name!);
      else this.cookies.set(name!, value!);
    }
    const text = await response.text();
    // As a browser after a form: with the new cookies.
    if (response.status === 303) return this.get(response.headers.get("location")!);
    return { status: response.status, text, headers: response.headers };
  }
}
