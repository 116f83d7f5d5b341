// One's own tokens, guardians, and what happened to one's access: forms and lists that ask the API.
(() => {
  "use strict";
  const { ask, deeds, lists, line, when } = window.cw.entrance;
  const guardians = async () => (await ask("/me/guardians", undefined, "GET")).names;
  const DAY_S = 86400;

  Object.assign(deeds, {
    "make-token": async (form) => {
      const told = new FormData(form);
      const lasts_s = Number(told.get("days")) * DAY_S;
      const { secret } = await ask("/me/tokens", { label: told.get("label").trim(), scopes: told.getAll("scope"), lasts_s });
      form.querySelector("[data-secret]").textContent = secret;
      form.querySelector("[data-once]").hidden = false;
    },
    "add-guardian": async (form) => {
      const name = form.querySelector("[name=name]").value.trim();
      await ask("/me/guardians", { names: [...(await guardians()), name] }, "PUT");
      location.reload();
    },
    "drop-guardian": async (form) => {
      const names = (await guardians()).filter((name) => name !== form.dataset.guardian);
      await ask("/me/guardians", { names }, "PUT");
      location.reload();
    },
  });
  Object.assign(lists, {
    tokens: async (template) =>
      (await ask("/me/tokens", undefined, "GET")).map((one) =>
        line(template, one.label, `${one.scopes.join(", ")} · ${when(one.until_s)}`, { path: `/me/tokens/${one.id}` })),
    guardians: async (template) => (await guardians()).map((guardian) => line(template, guardian, "", { guardian })),
    happened: async (template) =>
      (await ask("/me/notices", undefined, "GET")).map((one) =>
        line(template, one.text, when(one.at_s), { path: `/me/notices/${one.id}` })),
  });
})();
