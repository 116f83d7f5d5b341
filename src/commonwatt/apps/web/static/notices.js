// Where and how somebody is told: this browser's own subscription, and forms that ask the API.
(() => {
  "use strict";
  const { ask, deeds, lists, line, when } = window.cw.entrance;
  const reload = () => location.reload();
  const typed = (form, name) => form.querySelector(`[name=${name}]`).value.trim();

  Object.assign(deeds, {
    "push-on": async (form) => {
      const { no, denied } = form.querySelector("[data-no]").dataset;
      if (!("PushManager" in window) || !("Notification" in window)) throw new Error(no);
      if ((await Notification.requestPermission()) !== "granted") throw new Error(denied);
      const { push_key } = await ask("/me/notifications/offered", undefined, "GET");
      const worker = await navigator.serviceWorker.ready;
      const made = await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: push_key });
      const { endpoint, keys } = made.toJSON();
      const label = typed(form, "label") || "browser";
      await ask("/me/channels/push", { endpoint, p256dh: keys.p256dh, auth: keys.auth, label });
      reload();
    },
    "mail-on": async (form) => {
      const address = typed(form, "address");
      const { addresses } = await ask("/me/notifications/offered", undefined, "GET");
      if (!addresses.includes(address)) await ask("/me/addresses", { addresses: [...addresses, address] }, "PUT");
      await ask("/me/channels/mail", { address });
      reload();
    },
    "home-on": async (form) => (await ask("/me/channels/home-assistant", { account: typed(form, "account") }), reload()),
    "webhook-on": async (form) => {
      const { secret } = await ask("/me/webhooks", { url: typed(form, "url"), label: typed(form, "label") || "program" });
      form.querySelector("[data-secret]").textContent = secret;
      form.querySelector("[data-once]").hidden = false;
    },
    "channel-off": async (form) => {
      const { id, way } = form.closest("[data-channel]").dataset;
      if (way === "web_push") await quietly();
      await ask(`/me/channels/${id}`, undefined, "DELETE");
      reload();
    },
    "channel-try": async (form) => {
      await ask(`/me/channels/${form.closest("[data-channel]").dataset.id}/try`);
      window.cw.announce(form.dataset.said);
    },
    wishes: async (form) => {
      const checked = (name) => [...form.querySelectorAll(`[name=${name}]`)];
      const quiet = form.querySelector("[name=quiet]").checked;
      await ask("/me/notifications/wishes", {
        language: typed(form, "language"),
        zone: typed(form, "zone"),
        quiet: quiet ? { begin: typed(form, "begin"), end: typed(form, "end") } : null,
        off: checked("hear").filter((box) => !box.checked).map((box) => box.value),
        through: checked("through").filter((box) => box.checked).map((box) => box.value),
      }, "PUT");
      window.cw.announce(form.querySelector("[data-kept]").dataset.kept);
    },
  });

  // Whether or not the service can be told, the browser forgets; the server does in any case.
  async function quietly() {
    try {
      const worker = await navigator.serviceWorker.ready;
      await (await worker.pushManager.getSubscription())?.unsubscribe();
    } catch {
      return;
    }
  }

  const saying = (list) => JSON.parse(list.closest("[data-says]").dataset.says);
  lists.channels = async (template) => {
    const says = saying(template);
    return (await ask("/me/channels", undefined, "GET")).map((one) => {
      const title = `${says[one.way]}: ${one.label}`;
      const well = one.last_s ? `${says.sent} ${when(one.last_s)}` : says.never;
      const made = line(template, title, one.wrong ? `${says.wrong} ${when(one.last_s)}: ${one.wrong}` : well, {});
      Object.assign(made.querySelector("[data-channel]").dataset, { id: one.id, way: one.way });
      return made;
    });
  };
  lists.told = async (template) => {
    const says = saying(template);
    return (await ask("/me/notifications", undefined, "GET")).map((one) => {
      const fates = [...new Set(one.fates.map((each) => each.fate))];
      const note = fates.map((fate) => says[fate]).join(", ");
      return line(template, says[one.topic] ?? one.topic, `${when(one.noted_s)} · ${note}`, null);
    });
  };

  customElements.define("cw-wishes", class extends HTMLElement {
    async connectedCallback() {
      const told = await ask("/me/notifications/wishes", undefined, "GET");
      const form = this.closest("form");
      const field = (name) => form.querySelector(`[name=${name}]`);
      field("language").value = told.language;
      field("zone").value = told.zone || Intl.DateTimeFormat().resolvedOptions().timeZone;
      field("quiet").checked = told.quiet !== null;
      if (told.quiet) [field("begin").value, field("end").value] = [told.quiet.begin, told.quiet.end];
      for (const box of form.querySelectorAll("[name=hear]")) box.checked = !told.off.includes(box.value);
      for (const box of form.querySelectorAll("[name=through]")) box.checked = told.through.includes(box.value);
    }
  });
  customElements.define("cw-offered", class extends HTMLElement {
    async connectedCallback() {
      const told = await ask("/me/notifications/offered", undefined, "GET");
      const forms = this.closest(".columns");
      const form = (deed) => forms.querySelector(`form[data-entrance=${deed}]`);
      form("mail-on").hidden = !told.mail;
      form("mail-on").querySelector("[name=address]").value = told.addresses[0] ?? "";
      form("home-on").hidden = told.homes.length === 0;
      form("home-on").querySelector("[name=account]").value = told.homes[0] ?? "";
    }
  });
})();
