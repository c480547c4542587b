// Keeps a copy of what the page was made of, and gives it where there is no network.
const CACHE = "notes";

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));

async function answer(request) {
  const cache = await caches.open(CACHE);
  try {
    const response = await fetch(request);
    if (response.ok) await cache.put(request, response.clone());
    return response;
  } catch (error) {
    const known = await cache.match(request, { ignoreVary: true });
    if (known === undefined) throw error;
    return known;
  }
}

self.addEventListener("fetch", (event) => {
  const { method, url } = event.request;
  if (method === "GET" && new URL(url).origin === self.location.origin)
    event.respondWith(answer(event.request));
});

// What was loaded before this worker was there.
self.addEventListener("message", (event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(event.data))
      .then(() => event.source.postMessage("offline")),
  );
});
