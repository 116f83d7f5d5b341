// Checks a proof in the browser itself: hashes what is shown up to the roots that a signed checkpoint tells, and the
// signatures of whoever answers for that checkpoint. It asks our server for nothing but the proof.
//
// Sources: inclusion proofs RFC 9162 section 2.1.3.2; notes https://c2sp.org/signed-note; cosignatures
// https://c2sp.org/tlog-cosignature. SHA-256 and Ed25519 are the browser's own (WebCrypto).

const encode = (text) => new TextEncoder().encode(text);
const join = (...parts) => Uint8Array.from(parts.flatMap((part) => [...part]));
const hex = (bytes) => [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const same = (left, right) => hex(left) === hex(right);
const sha256 = async (bytes) => new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
const leafHash = (data) => sha256(join([0], data));
const nodeHash = (left, right) => sha256(join([1], left, right));

function unhex(text) {
  if (!/^([0-9a-f]{2})*$/.test(text)) throw new Error("hex digits come in pairs");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

function unbase64(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  // One text for each value: whatever else decodes to the same bytes is not what was signed.
  if (btoa(String.fromCharCode(...bytes)) !== text) throw new Error("base64 has one form");
  return bytes;
}

// Return the root to which a leaf's hash leads in a tree of a size; null where the path is none of that tree.
export async function climb(hash, index, size, path) {
  if (!(Number.isSafeInteger(index) && index >= 0 && index < size)) return null;
  let [node, last, climbed] = [index, size - 1, hash];
  for (const sibling of path) {
    if (last === 0 || sibling.length !== 32) return null;
    if (node % 2 === 1 || node === last) {
      climbed = await nodeHash(sibling, climbed);
      while (node % 2 === 0 && node > 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      climbed = await nodeHash(climbed, sibling);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  return last === 0 ? climbed : null;
}

// Return the root over a few leaves' data.
async function rootOf(datas) {
  if (datas.length === 1) return leafHash(datas[0]);
  let split = 1;
  while (split * 2 < datas.length) split *= 2;
  return nodeHash(await rootOf(datas.slice(0, split)), await rootOf(datas.slice(split)));
}

// Take a note apart: its text, what it tells, and its signature lines.
export function readNote(note) {
  const end = note.lastIndexOf("\n\n");
  if (end < 0 || !note.endsWith("\n")) throw new Error("a note is text, a blank line and signatures");
  const text = note.slice(0, end + 1);
  const [origin, size, root, state, slot] = text.split("\n");
  if (text.split("\n").length !== 6 || !/^(0|[1-9][0-9]*)$/.test(size) || !/^state /.test(state) || !/^slot /.test(slot))
    throw new Error("a checkpoint has five lines");
  const lines = note.slice(end + 2, -1).split("\n").map((line) => {
    const [dash, name, signed] = line.split(" ");
    if (dash !== "\u2014" || !signed) throw new Error("a signature is a dash, a name and base64");
    const bytes = unbase64(signed);
    return { name, id: hex(bytes.slice(0, 4)), rest: bytes.slice(4) };
  });
  return { text, origin, size: Number(size), logRoot: unbase64(root), stateRoot: unbase64(state.slice(6)),
    slot: Number(slot.slice(5)), lines };
}

// Take a key's word apart: name+id+key, whose id must be made of the other two.
async function readKey(word, kind) {
  const name = word.split("+", 1)[0];
  const id = word.slice(name.length + 1, name.length + 9);
  const key = unbase64(word.slice(name.length + 10));
  const made = hex((await sha256(join(encode(`${name}\n`), key))).slice(0, 4));
  if (key[0] !== kind || key.length !== 33 || made !== id) throw new Error(`the key of ${name} is not what it says`);
  return { name, id, key: key.slice(1) };
}

// Return whether a key signed a message; null where this browser has no Ed25519.
async function signed(key, signature, message) {
  let imported;
  try {
    imported = await crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  } catch (error) {
    if (error.name === "NotSupportedError") return null;
    return false;
  }
  return crypto.subtle.verify("Ed25519", imported, signature, encode(message));
}

async function bySigner(note, word) {
  const key = await readKey(word, 1);
  const line = note.lines.find((one) => one.name === key.name && one.id === key.id);
  return line ? signed(key.key, line.rest, note.text) : false;
}

// Return when a witness cosigned, or null where it did not; ok tells whether that signature holds.
async function byWitness(note, word) {
  const key = await readKey(word, 4);
  const line = note.lines.find((one) => one.name === key.name && one.id === key.id);
  if (!line) return null;
  const time = line.rest.slice(0, 8).reduce((sum, byte) => sum * 256 + byte, 0);
  return { time, ok: await signed(key.key, line.rest.slice(8), `cosignature/v1\ntime ${time}\n${note.text}`) };
}

// Return what a record of a meter says: 48 bytes, little-endian.
export function readItem(record) {
  if (record.length !== 48) throw new Error("a reading has 48 bytes");
  const view = new DataView(record.buffer, record.byteOffset, 48);
  const whole = (at) => Number(view.getBigInt64(at, true));
  return { start_s: whole(0), seconds: view.getUint32(8, true), register: view.getUint16(12, true),
    quality: view.getUint8(14), import_wh: whole(16), export_wh: whole(24), level_wh: whole(32) };
}

// Check a proof. Returns one finding a step: {step, ok: true | false | null for "cannot be checked here", found}.
// A step that breaks off is a step that failed.
export async function check(proof) {
  const findings = [];
  const find = async (step, work) => {
    try {
      const { ok, found } = await work();
      findings.push({ step, ok, found });
    } catch (error) {
      findings.push({ step, ok: false, found: error.message });
    }
  };
  const note = (() => {
    try {
      return readNote(proof.checkpoint.note);
    } catch {
      return null;
    }
  })();
  await find("note", async () => ({ ok: note !== null && note.size > 0, found: note && `${note.origin} ${note.size}` }));
  if (note === null) return findings;
  if (proof.leaf) await checkLeaf(proof, note, find);
  if (proof.item) await checkItem(proof, find);
  if (proof.entry) await checkEntry(proof, note, find);
  await find("signature", async () => ({ ok: await bySigner(note, proof.checkpoint.vkey), found: proof.checkpoint.vkey }));
  for (const witness of proof.checkpoint.witnesses) {
    const name = witness.vkey.split("+", 1)[0];
    await find("witness", async () => {
      const found = await byWitness(note, witness.vkey);
      return found ? { ok: found.ok, found: name } : { ok: null, found: `${name}: \u2013` };
    });
  }
  return findings;
}

async function checkLeaf({ leaf }, note, find) {
  const data = unhexOrNothing(leaf.data);
  if (leaf.record !== null)
    await find("record", async () => {
      const made = await sha256(join(unhex(leaf.salt), encode(leaf.record)));
      return { ok: leaf.salt.length === 64 && same(made, data), found: hex(made) };
    });
  await find("path", async () => {
    const root = await climb(await leafHash(data), leaf.position, note.size, leaf.path.map(unhex));
    return { ok: root !== null && same(root, note.logRoot), found: root && hex(root) };
  });
}

async function checkItem({ leaf, item }, find) {
  await find("item", async () => {
    const told = JSON.parse(leaf.record).request.body;
    let [hash, index, count, left] = [await leafHash(unhex(item.record)), item.index, told.count, item.path.map(unhex)];
    readItem(unhex(item.record));
    if (!(index >= 0 && index < count)) return { ok: false, found: `${index}` };
    for (; count > 1; index = Math.floor(index / 2), count = Math.ceil(count / 2)) {
      if ((index ^ 1) >= count) continue; // the last of an odd row rises as it is
      const sibling = left.shift();
      if (sibling?.length !== 32) return { ok: false, found: "short" };
      hash = await (index % 2 ? nodeHash(sibling, hash) : nodeHash(hash, sibling));
    }
    return { ok: left.length === 0 && hex(hash) === told.root, found: hex(hash) };
  });
}

async function checkEntry({ entry }, note, find) {
  await find("entry", async () => {
    let hash = await leafHash(encode(entry.record));
    for (const step of entry.path) {
      const [side, sibling] = step.split(" ");
      if (!["left", "right"].includes(side) || sibling?.length !== 64) return { ok: false, found: side };
      hash = await (side === "left" ? nodeHash(unhex(sibling), hash) : nodeHash(hash, unhex(sibling)));
    }
    return { ok: hex(hash) === entry.sections[0], found: hex(hash) };
  });
  await find("sections", async () => {
    const root = await rootOf(entry.sections.map(unhex));
    return { ok: same(root, note.stateRoot), found: hex(root) };
  });
}

// Return what the very bytes that were checked say, whatever the page around them shows.
export function says({ leaf, item, entry }) {
  if (item) return readItem(unhex(item.record));
  if (entry) return JSON.parse(entry.record);
  return leaf?.record ? JSON.parse(leaf.record) : null;
}

function unhexOrNothing(text) {
  try {
    return unhex(text);
  } catch {
    return new Uint8Array();
  }
}

// The button that does it, and what it found; its texts come translated with the page.
if (globalThis.customElements) {
  customElements.define("cw-verify", class extends HTMLElement {
    connectedCallback() {
      this.addEventListener("click", (event) => {
        if (event.target.closest("[data-verify]")) this.verify();
      });
    }
    async verify() {
      const [button, list, verdict] = ["[data-verify]", "ol", "[data-verdict]"].map((one) => this.querySelector(one));
      const words = JSON.parse(this.dataset.words);
      button.disabled = true;
      verdict.textContent = words.working;
      list.replaceChildren();
      try {
        const answer = await fetch(this.dataset.src, { headers: { Accept: "application/json" } });
        const told = await answer.json();
        if (!answer.ok) throw new Error(told.rule ?? answer.statusText);
        const findings = await check(told);
        for (const finding of findings) list.append(line(finding, words));
        const bytes = findings.some((one) => one.ok === false) ? null : says(told);
        this.querySelector("[data-says]").textContent = bytes ? JSON.stringify(bytes, null, 1) : "";
        const failed = findings.some((one) => one.ok === false);
        const open = findings.some((one) => one.ok === null && one.step === "signature");
        this.dataset.verdict = failed ? "failed" : open ? "open" : "verified";
        verdict.textContent = words[this.dataset.verdict];
      } catch (error) {
        this.dataset.verdict = "failed";
        verdict.textContent = `${words.failed} ${error.message}`;
      }
      button.disabled = false;
    }
  });
}

function line({ step, ok, found }, words) {
  const item = document.createElement("li");
  const [mark, said, bytes] = ["span", "span", "code"].map((name) => document.createElement(name));
  item.dataset.ok = String(ok);
  mark.textContent = ok === null ? "?" : ok ? "\u2713" : "\u2717";
  mark.setAttribute("role", "img");
  mark.setAttribute("aria-label", ok === null ? words.unknown : ok ? words.holds : words.broken);
  said.textContent = words[step];
  bytes.textContent = found ?? "";
  item.append(mark, said, bytes);
  return item;
}
