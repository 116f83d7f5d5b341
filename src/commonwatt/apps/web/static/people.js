// Other people's access: who is asked to join, as what people are here, and a second word to a recovery.
(() => {
  "use strict";
  const { ask, deeds, lists, line, when } = window.cw.entrance;
  if (deeds.invite) return;
  const part = (text) => encodeURIComponent(text);

  function show(form, secret) {
    form.querySelector("[data-secret]").textContent = secret;
    form.querySelector("[data-once]").hidden = false;
  }
  function wanted(form) {
    const told = new FormData(form);
    const zones = (told.get("zones") ?? "").split(",").map((zone) => zone.trim()).filter(Boolean);
    return { role: told.get("role"), account: (told.get("account") ?? "").trim() || null, zones };
  }
  function place({ role, account, zones }) {
    return [role, account, ...zones].filter(Boolean).join(" \u00b7 ");
  }

  Object.assign(deeds, {
    // The secret stands behind the mark, which browsers send to nobody.
    invite: async (form) => show(form, `${location.origin}/join#${(await ask("/people/invitations", wanted(form))).text}`),
    "begin-recovery": async (form) => {
      const name = form.querySelector("[name=name]").value.trim();
      show(form, (await ask(`/people/${part(name)}/recovery`)).secret);
    },
    agree: async (form) => (await ask(`/people/recoveries/${part(form.dataset.recovery)}/agree`), location.reload()),
    "give-place": async (form) => {
      const name = form.querySelector("[name=name]").value.trim();
      await ask(`/people/${part(name)}/places`, wanted(form));
      location.reload();
    },
  });
  Object.assign(lists, {
    recoveries: async (template) =>
      (await ask("/people/recoveries", undefined, "GET")).map((one) =>
        line(template, one.person, when(one.ripe_s), one.agreed ? null : { recovery: one.id })),
    invitations: async (template) =>
      (await ask("/people/invitations", undefined, "GET"))
        .filter((one) => !one.used && !one.revoked && one.until_s * 1000 > Date.now())
        .map((one) => line(template, place(one), when(one.until_s), { path: `/people/invitations/${part(one.id)}` })),
    people: async (template) =>
      (await ask("/people", undefined, "GET")).flatMap((person) =>
        person.places.filter((one) => one.ended_s === null).map((one) =>
          line(template, person.name, place(one), { path: `/people/${part(person.name)}/places/${one.place}` }))),
  });
})();
