// Sessions in the actions and loaders of React Router: `npm run example -- react-router`.
import { serve } from "@hono/node-server";
import { reactRouterSessions } from "anykv/with/react-router";
import { createSessionStorage, createStaticHandler, redirect } from "react-router";
import { announce, port, store } from "./store.ts";

const { getSession, commitSession, destroySession } = createSessionStorage<
  { user: string },
  { message: string }
>({
  cookie: {
    name: "session",
    secrets: [process.env.SESSION_SECRET ?? "a secret of the example"],
    ...{ maxAge: 86_400, path: "/", httpOnly: true, sameSite: "lax" },
  },
  ...reactRouterSessions(store.prefix("session:")),
});

const sessionOf = (request: Request) => getSession(request.headers.get("cookie"));
const home = (cookie: string) => redirect("/", { status: 303, headers: { "set-cookie": cookie } });

// In an app with the Vite plugin, these functions are in the modules of the routes.
const { queryRoute } = createStaticHandler([
  {
    path: "/",
    async loader({ request }) {
      const session = await sessionOf(request);
      const [user, message] = [session.get("user"), session.get("message")];
      const [action, label] = user ? ["/logout", "Log out"] : ["/login/ann", "Log in"];
      const body = `<p>Hello ${user ?? ""} ${message ?? ""}</p>
        <form method="post" action="${action}"><button>${label}</button></form>`;
      const headers = { "content-type": "text/html", "set-cookie": await commitSession(session) };
      return new Response(body, { headers });
    },
  },
  {
    path: "/login/:name",
    async action({ request, params }) {
      const session = await sessionOf(request);
      session.set("user", encodeURIComponent(params.name!));
      session.flash("message", "- welcome");
      return home(await commitSession(session));
    },
  },
  {
    path: "/logout",
    action: async ({ request }) => home(await destroySession(await sessionOf(request))),
  },
]);

async function answer(request: Request): Promise<Response> {
  const result: unknown = await queryRoute(request).catch((error: unknown) => error);
  return result instanceof Response ? result : new Response("try again later", { status: 500 });
}
serve({ fetch: answer, port, hostname: "127.0.0.1" }, (info) => announce(info.port));
