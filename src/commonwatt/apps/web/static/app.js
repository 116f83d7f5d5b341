// What the browser does by itself: live numbers, controls that send, pictures that turn into tables, light and dark.
(() => {
  "use strict";
  const year = 31536000;
  const theme = document.querySelector('meta[name="cw-theme"]')?.content;
  if (theme && theme !== "auto") document.documentElement.dataset.theme = theme;

  // Live numbers. Text goes where it stands already, so nothing is laid out anew unless it became longer.
  const told = new Map();
  const announced = new Map();
  const waiting = new Map();
  function show(place, value) {
    if (typeof place.update === "function") {
      place.update(value);
    } else if (place.textContent !== String(value)) {
      place.textContent = value;
      if (place.dataset.announce) tell(place);
    }
  }
  // What moves fast is told at most every ten seconds, and then as it is by then.
  function tell(place) {
    const key = place.dataset.live;
    const wait = (announced.get(key) ?? 0) + 10000 - Date.now();
    if (waiting.has(key)) return;
    if (wait > 0) waiting.set(key, setTimeout(() => (waiting.delete(key), tell(place)), wait));
    else {
      announced.set(key, Date.now());
      say(`${place.dataset.announce}: ${place.textContent}`);
    }
  }
  function hear(values) {
    for (const [key, value] of Object.entries(values)) {
      told.set(key, value);
      for (const place of document.querySelectorAll(`[data-live="${CSS.escape(key)}"]`)) show(place, value);
    }
    document.documentElement.dataset.heard = String(Number(document.documentElement.dataset.heard ?? 0) + 1);
  }
  function say(text) {
    const region = document.getElementById("said");
    if (region) region.textContent = text;
  }
  let fading;
  function announce(text) {
    const toast = document.getElementById("toast");
    say(text);
    toast.textContent = text;
    toast.hidden = false;
    clearTimeout(fading);
    fading = setTimeout(() => (toast.hidden = true), 8000);
  }
  window.cw = { announce, hear };
  document.addEventListener("DOMContentLoaded", () => {
    document.documentElement.dataset.ready = "yes";
    window.socket?.on("live", hear);
    // The session is over: what stands here is another's to see, or nobody's. The server says where to go.
    window.socket?.on("gone", () => location.reload());
    if (window.isSecureContext) navigator.serviceWorker?.register("/service-worker.js").catch(() => {});
  });

  customElements.define("cw-flow", class extends HTMLElement {
    connectedCallback() {
      this.update(told.get(this.dataset.live) ?? JSON.parse(this.dataset.value));
    }
    update(flow) {
      const write = (name, text) => {
        const place = this.querySelector(`[data-text="${name}"]`);
        if (place && place.textContent !== text) place.textContent = text;
      };
      write("house", flow.house);
      write("level", flow.level ?? "");
      for (const [thing, spoke] of Object.entries(flow.spokes)) {
        write(thing, spoke.text);
        const stream = this.querySelector(`[data-spoke="${thing}"]`);
        if (!stream) continue;
        stream.dataset.way = spoke.way;
        stream.style.setProperty("--pace", spoke.pace);
      }
      const sentence = this.querySelector('[data-part="sentence"]');
      if (sentence.textContent !== flow.sentence) sentence.textContent = flow.sentence;
    }
  });

  // Controls say what they are set to, as an event that reaches the piece of the page in which they stand.
  function send(control, value) {
    control.dispatchEvent(new CustomEvent("cw", { bubbles: true, detail: { name: control.dataset.send, value } }));
  }
  function valueOf(control) {
    if (control.type === "checkbox") return control.checked;
    if (control.dataset.scale) return Number(control.dataset.from) + Number(control.value) * Number(control.dataset.scale);
    return control.value;
  }
  document.addEventListener("change", (event) => {
    const control = event.target;
    if (control.matches("[data-set]")) {
      document.cookie = `${control.dataset.set}=${control.value};path=/;max-age=${year};samesite=lax`;
      location.reload();
    } else if (control.matches("input[type=file][data-send]")) {
      const [file] = control.files;
      if (file && file.size <= Number(control.dataset.most)) file.text().then((text) => send(control, text));
    } else if (control.matches("input[data-labels]")) {
      // Several presses of an arrow key are one wish.
      clearTimeout(control.waiting);
      control.waiting = setTimeout(() => send(control, valueOf(control)), 400);
    } else if (control.matches("input[data-send], select[data-send], textarea[data-send]") && control.checkValidity()) {
      send(control, valueOf(control));
    }
  });
  document.addEventListener("input", (event) => {
    const slider = event.target;
    if (slider.matches("input[data-labels]")) {
      const label = JSON.parse(slider.dataset.labels)[Number(slider.value)];
      slider.setAttribute("aria-valuetext", label);
      slider.closest(".departure").querySelector("output").textContent = label;
    } else if (slider.matches("[data-send][data-typing]")) {
      clearTimeout(slider.waiting);
      slider.waiting = setTimeout(() => send(slider, slider.value), 250);
    }
  });
  let stepping;
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest?.("button, summary, a");
    for (const open of document.querySelectorAll("details[open]")) if (!open.contains(event.target)) open.open = false;
    if (!pressed) return;
    if (pressed.dataset.toggle === "table") {
      const figure = pressed.closest(".pictured");
      const shown = figure.classList.toggle("as-table");
      pressed.setAttribute("aria-pressed", String(shown));
      // A table that scrolls can be reached by keyboard; one that is not seen takes no focus.
      const table = figure.querySelector(".behind");
      if (shown) table.tabIndex = 0;
      else table.removeAttribute("tabindex");
    } else if (pressed.dataset.step) {
      const clock = pressed.parentElement.querySelector("input");
      const [hours, minutes] = (clock.value || "00:00").split(":").map(Number);
      const moved = (hours * 60 + minutes + Number(pressed.dataset.step) + 1440) % 1440;
      clock.value = `${String(Math.floor(moved / 60)).padStart(2, "0")}:${String(moved % 60).padStart(2, "0")}`;
      clearTimeout(stepping);
      // Several presses are one wish.
      stepping = setTimeout(() => send(clock, clock.value), 400);
    } else if (pressed.dataset.copy) {
      const from = document.getElementById(pressed.dataset.copy);
      from.select();
      navigator.clipboard?.writeText(from.value).then(() => announce(pressed.dataset.copied), () => {});
    } else if (pressed.dataset.send && (!pressed.dataset.ask || asked(pressed))) {
      send(pressed, pressed.value);
    }
  });
  function asked(button) {
    const label = button.querySelector("[data-label]");
    if ("asked" in button.dataset) {
      label.textContent = button.dataset.asked;
      delete button.dataset.asked;
      return true;
    }
    button.dataset.asked = label.textContent;
    label.textContent = button.dataset.ask;
    say(button.dataset.ask);
    const calm = () => {
      if ("asked" in button.dataset) {
        label.textContent = button.dataset.asked;
        delete button.dataset.asked;
      }
    };
    button.addEventListener("blur", calm, { once: true });
    return false;
  }
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of document.querySelectorAll("details[open]")) {
      open.open = false;
      open.querySelector("summary").focus();
    }
  });

  // A piece that is drawn anew under somebody's hand gives the focus back to the same control.
  let held = null;
  document.addEventListener("focusin", (event) => (held = event.target));
  document.addEventListener("focusout", ({ target }) => {
    queueMicrotask(() => {
      if (target.isConnected && held === target) held = null;
    });
  });
  function sameAs(control, within) {
    if (control.id) return within.querySelector(`#${CSS.escape(control.id)}`);
    const { send: name } = control.dataset;
    return name && within.querySelector(`[data-send="${CSS.escape(name)}"][value="${CSS.escape(control.value)}"]`);
  }

  // What was put on the page late shows what was told meanwhile; a list that grew takes the focus along.
  new MutationObserver((records) => {
    // What was shown early goes as soon as the page itself stands.
    if (document.querySelector("#app .content")) document.querySelector(".early")?.remove();
    for (const record of records) {
      for (const node of record.addedNodes) {
        if (node.nodeType !== Node.ELEMENT_NODE) continue;
        for (const place of node.querySelectorAll("[data-live]")) {
          const value = told.get(place.dataset.live);
          if (value !== undefined && typeof place.update !== "function") place.textContent = value;
        }
        node.querySelector("[data-new]")?.focus();
        if (held && !held.isConnected && document.activeElement === document.body) sameAs(held, node)?.focus();
      }
    }
  }).observe(document.documentElement, { childList: true, subtree: true });
})();
