// Coming in, joining, and looking after one's ways in: forms that ask the API, and what only a browser can do.
(() => {
  "use strict";
  if (window.cw.entrance) return; // a page that needs it may show something above it that needs it, too
  const api = "/api/v1";

  async function ask(path, told, method = "POST") {
    const answer = await fetch(api + path, {
      method,
      headers: { "Content-Type": "application/json" },
      body: told === undefined ? undefined : JSON.stringify(told),
      credentials: "same-origin",
    });
    const body = answer.status === 204 ? null : await answer.json();
    if (!answer.ok) throw new Error(body?.rule ?? answer.statusText);
    return body;
  }
  // A link of this site, or its start: never somewhere else. The browser's own reading decides, since it drops tabs and
  // line breaks; and the whole address is followed, since a path alone can begin with two slashes and be another's.
  function after() {
    const next = new URLSearchParams(location.search).get("next") ?? "/";
    try {
      const url = new URL(next, location.origin);
      return next.startsWith("/") && url.origin === location.origin ? url.href : "/";
    } catch {
      return "/";
    }
  }
  function fields(form) {
    return Object.fromEntries([...new FormData(form)].map(([name, value]) => [name, String(value).trim()]));
  }
  function hex(text) {
    return "0x" + [...new TextEncoder().encode(text)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  async function fromWallet(path) {
    if (!window.ethereum) throw new Error(document.querySelector("[data-no-wallet]")?.dataset.noWallet ?? "no wallet");
    const [address] = await window.ethereum.request({ method: "eth_requestAccounts" });
    const { message } = await ask(`${path}/begin`, { address });
    const signature = await window.ethereum.request({ method: "personal_sign", params: [hex(message), address] });
    return ask(path, { message, signature });
  }

  // Where an organisation's people sign in is its own site: it sends the browser back to ours.
  async function leaveFor(name, asked) {
    const { url } = await ask(`/sign-in/organisation/${encodeURIComponent(name)}?${asked}`);
    location.assign(url);
  }

  const deeds = {
    password: async (form) => (await ask("/sign-in/password", fields(form)), location.assign(after())),
    printed: async (form) => (await ask("/sign-in/printed-code", fields(form)), location.assign("/me")),
    passkey: async () => {
      const { options } = await ask("/sign-in/passkey/begin");
      const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(options);
      const found = await navigator.credentials.get({ publicKey });
      await ask("/sign-in/passkey", found.toJSON());
      location.assign(after());
    },
    wallet: async () => (await fromWallet("/sign-in/wallet"), location.assign(after())),
    recovery: async (form) => (await ask("/sign-in/recovery", fields(form)), location.assign("/me")),
    organisation: (form) => leaveFor(form.dataset.organisation, new URLSearchParams({ next: new URLSearchParams(location.search).get("next") ?? "/" })),
    "link-organisation": (form) => leaveFor(form.dataset.organisation, new URLSearchParams({ next: "/me", link: true })),
    join: async (form) => {
      await ask("/sign-in/invitation", { secret: location.hash.slice(1), ...fields(form) });
      history.replaceState(null, "", "/join");
      location.assign("/me");
    },
    "begin-password": async (form) => {
      const { secret, uri, picture } = await ask("/me/ways/password/begin");
      form.querySelector("[data-picture]").innerHTML = picture;
      form.querySelector("[data-secret]").textContent = secret;
      form.querySelector("[data-uri]").href = uri;
      form.querySelector("[data-second]").hidden = false;
      form.dataset.entrance = "set-password";
    },
    "set-password": async (form) => (await ask("/me/ways/password", fields(form)), location.reload()),
    "make-passkey": async () => {
      const { options } = await ask("/me/ways/passkey/begin");
      const publicKey = PublicKeyCredential.parseCreationOptionsFromJSON(options);
      const made = await navigator.credentials.create({ publicKey });
      await ask("/me/ways/passkey", { answer: made.toJSON() });
      location.reload();
    },
    "keep-wallet": async () => (await fromWallet("/me/ways/wallet"), location.reload()),
    "print-codes": async (form) => {
      const { codes } = await ask("/me/ways/printed-codes");
      form.querySelector("[data-codes]").textContent = codes.join("\n");
    },
    remove: async (form) => (await ask(form.dataset.path, undefined, "DELETE"), location.reload()),
    place: async (form) => (await ask("/sign-in/place", { place: Number(form.dataset.place) }, "PUT"), location.assign("/")),
    veto: async (form) => {
      await ask("/sign-in/recovery/veto", { secret: location.hash.slice(1) });
      history.replaceState(null, "", "/veto");
      const done = form.querySelector("[data-done]");
      done.textContent = done.dataset.done;
    },
    leave: async () => (await ask("/sign-in", undefined, "DELETE"), location.assign("/sign-in")),
  };

  document.addEventListener("submit", async (event) => {
    const form = event.target.closest("form[data-entrance]");
    if (!form) return;
    event.preventDefault();
    const wrong = form.querySelector("[role=alert]");
    const press = form.querySelector("button[type=submit]");
    if (wrong) wrong.textContent = "";
    press.disabled = true;
    try {
      await deeds[form.dataset.entrance](form);
    } catch (error) {
      if (wrong) wrong.textContent = error.message;
    } finally {
      press.disabled = false;
    }
  });

  // The page is drawn twice, first by the server and then by its framework: elements fill themselves whenever they come.
  customElements.define("cw-invited", class extends HTMLElement {
    async connectedCallback() {
      if (!location.hash) return;
      try {
        const told = await ask("/sign-in/invitation/look", { secret: location.hash.slice(1) });
        this.textContent = [told.role, told.account ?? "", ...told.zones].filter(Boolean).join(" · ");
      } catch (error) {
        this.textContent = error.message;
      }
    }
  });

  // Lists of one's own ways in, sessions and places, each with what can be done about it.
  function line(template, title, note, deed) {
    const made = template.content.cloneNode(true);
    made.querySelector("[data-title]").textContent = title;
    made.querySelector("[data-note]").textContent = note;
    const form = made.querySelector("form");
    if (deed) Object.assign(form.dataset, deed);
    else form.remove();
    return made;
  }
  function when(at_s) {
    return at_s ? new Date(at_s * 1000).toLocaleString(document.documentElement.lang) : "";
  }
  const lists = {
    ways: async (template) =>
      (await ask("/me/ways", undefined, "GET")).map((one) =>
        line(template, `${one.way} ${one.label}`, when(one.used_s ?? one.made_s), { path: `/me/ways/${one.id}` })),
    sessions: async (template) =>
      (await ask("/me/sessions", undefined, "GET")).map((one) =>
        line(template, one.device || one.way, `${one.address} · ${when(one.seen_s)}`, one.here ? null : { path: `/me/sessions/${one.id}` })),
    organisations: async (template) =>
      (await ask("/sign-in/organisations", undefined, "GET")).map((organisation) => line(template, organisation, "", { organisation })),
    places: async (template) => {
      const told = await ask("/sign-in", undefined, "GET");
      return Object.entries(told.places).map(([place, name]) =>
        line(template, name, "", Number(place) === told.place ? null : { place }));
    },
  };
  // Other scripts add deeds and lists of their own; all are there once the page is read.
  window.cw.entrance = { ask, deeds, lists, line, when };
  const ready = new Promise((resolve) => document.addEventListener("DOMContentLoaded", resolve, { once: true }));
  customElements.define("cw-list", class extends HTMLElement {
    async connectedCallback() {
      await ready;
      try {
        const lines = await lists[this.dataset.list](this.querySelector("template"));
        this.append(...lines);
        if (this.closest("[data-hides]")) this.parentElement.hidden = lines.length === 0;
      } catch (error) {
        this.append(error.message);
        this.parentElement.hidden = false;
      }
    }
  });
})();
