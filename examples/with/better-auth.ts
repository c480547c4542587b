// Accounts with better-auth: `npm run example -- better-auth`.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { betterAuthStorage } from "anykv/with/better-auth";
import { betterAuth } from "better-auth";
import { memoryAdapter } from "better-auth/adapters/memory";
import { fromNodeHeaders, toNodeHandler } from "better-auth/node";
import { announce, port, store } from "./store.ts";

const server = createServer();
await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
const served = (server.address() as AddressInfo).port;

const auth = betterAuth({
  baseURL: `http://127.0.0.1:${served}`,
  secret: process.env.BETTER_AUTH_SECRET ?? "a secret of the example, 32 characters",
  // Users: use a database. Sessions, one-time tokens and rate limits are in the store.
  database: memoryAdapter({ user: [], session: [], account: [], verification: [] }),
  secondaryStorage: betterAuthStorage(store, { prefix: "auth:" }),
  emailAndPassword: { enabled: true },
  rateLimit: { enabled: true, customRules: { "/sign-in/email": { window: 60, max: 5 } } },
  telemetry: { enabled: false },
});
const handle = toNodeHandler(auth);

const PAGE = `<form>
  <input name="email" value="ann@example.com"> <input name="password" type="password">
  <button value="sign-up">Sign up</button> <button value="sign-in">Sign in</button>
</form>
<script>
document.forms[0].onsubmit = async (event) => {
  event.preventDefault();
  const body = { name: "Ann", ...Object.fromEntries(new FormData(event.target)) };
  const headers = { "content-type": "application/json" };
  const url = "/api/auth/" + event.submitter.value + "/email";
  await fetch(url, { method: "POST", headers, body: JSON.stringify(body) });
  location.reload();
};
</script>`;

async function home(headers: Headers): Promise<string> {
  const session = await auth.api.getSession({ headers });
  return session === null ? PAGE : `<p>Hello ${encodeURIComponent(session.user.email)}</p>`;
}

server.on("request", async (req, res) => {
  if (req.url?.startsWith("/api/auth/")) return handle(req, res);
  try {
    res.setHeader("content-type", "text/html").end(await home(fromNodeHeaders(req.headers)));
  } catch {
    res.writeHead(500).end("try again later");
  }
});
announce(served);
