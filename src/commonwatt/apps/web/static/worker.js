// Keeps the app's static shell and a page for when there is no network, and shows notices. Nothing about anybody is kept.
const KEPT = __KEPT__;
const STORE = "commonwatt-__MARK__";

self.addEventListener("install", (event) => {
  event.waitUntil(caches.open(STORE).then((store) => store.addAll(KEPT)).then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  const older = (names) => names.filter((name) => name.startsWith("commonwatt-") && name !== STORE);
  event.waitUntil(
    caches.keys().then((names) => Promise.all(older(names).map((name) => caches.delete(name)))).then(() => self.clients.claim()),
  );
});

self.addEventListener("fetch", (event) => {
  const request = event.request;
  if (request.method !== "GET" || new URL(request.url).origin !== location.origin) return;
  if (request.mode === "navigate") {
    event.respondWith(fetch(request).catch(() => caches.match("/offline")));
    return;
  }
  if (KEPT.includes(new URL(request.url).pathname)) {
    event.respondWith(caches.match(request).then((kept) => kept ?? fetch(request)));
  }
});

// A notice that was sent to this browser, encrypted for it alone; an address in it is one of ours or leads home.
self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data?.json() ?? {};
  } catch {
    // What cannot be read still has to be shown: the browser takes the right away from who shows nothing.
  }
  const options = { body: told.text ?? "", tag: told.id, icon: "/favicon.ico", data: { href: told.href ?? "/" } };
  event.waitUntil(self.registration.showNotification(told.title ?? "commonwatt", options));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const wanted = new URL(event.notification.data?.href ?? "/", location.origin);
  event.waitUntil(self.clients.openWindow(wanted.origin === location.origin ? wanted.href : "/"));
});
