import type { Feed, Subscription } from "../adapter.ts";
import { decodeCookieName } from "./jar.ts";

interface CookieChange extends Event {
  readonly changed: readonly { readonly name: string }[];
  readonly deleted: readonly { readonly name: string }[];
}

/**
 * The event may come before `document.cookie` shows the change: it is read again after these
 * milliseconds.
 */
const LATER = [50, 500];

/** Changes of cookies by the browser's `cookieStore`, where it has one. Writers pay nothing. */
export function cookieFeed(feed: Feed): Subscription {
  const { cookieStore } = globalThis as { readonly cookieStore?: EventTarget };
  const changed = (event: Event): void => {
    const { changed, deleted } = event as CookieChange;
    const keys = [...changed, ...deleted].map(({ name }) => decodeCookieName(name));
    feed.changed(keys);
    for (const ms of LATER) setTimeout(() => feed.changed(keys), ms);
  };
  // A page that was frozen gets no events.
  const shown = (): void => feed.unknown();
  cookieStore?.addEventListener("change", changed);
  globalThis.addEventListener?.("pageshow", shown);
  return {
    close() {
      cookieStore?.removeEventListener("change", changed);
      globalThis.removeEventListener?.("pageshow", shown);
    },
  };
}
