// What makes the pages of connections quicker to use. Everything also works without it.
"use strict";

// --- the address ------------------------------------------------------------------------------------------------------

// Microsoft sends browsers back to one address of this server. At another one the sign-in could not be finished.
for (const notice of document.querySelectorAll("[data-site]")) {
  notice.hidden = new URL(notice.dataset.site).origin === location.origin;
}

// --- small things ---------------------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const copier = event.target.closest("[data-copies]");
  if (!copier) return;
  copier.closest("details[data-menu]")?.removeAttribute("open");
  try {
    await navigator.clipboard.writeText(copier.dataset.copies);
    toast(`${copier.dataset.what} copied.`);
  } catch {
    toast(`${copier.dataset.what}: ${copier.dataset.copies}`);
  }
});

// A file is read here and never leaves the page by itself: its text stands in the field above.
document.addEventListener("change", async (event) => {
  const into = event.target.dataset?.readsInto;
  const file = event.target.files?.[0];
  if (!into || !file) return;
  const field = document.getElementById(into);
  if (file.size > 65536) {
    toast(`${file.name} is too large for a certificate or a key.`);
  } else {
    field.value = asText(new Uint8Array(await file.arrayBuffer()));
    field.dispatchEvent(new Event("input", { bubbles: true }));
    toast(`${file.name} was read.`);
  }
  event.target.value = "";
});

// Files are text of some encoding, or bytes (DER, PFX): the server takes those as base64 and tells them apart.
function asText(bytes) {
  if (bytes[0] === 0xff && bytes[1] === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0xfe && bytes[1] === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  const binary = bytes[0] === 0x30 || bytes.some((byte) => byte < 9);
  if (!binary) return new TextDecoder().decode(bytes);
  if (bytes[1] === 0) return new TextDecoder("utf-16le").decode(bytes);
  if (bytes[0] === 0) return new TextDecoder("utf-16be").decode(bytes);
  const letters = Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
  return btoa(letters).replace(/.{64}(?=.)/g, "$&\n");
}

// A chosen candidate stands in the field above the table as well.
document.addEventListener("change", (event) => {
  if (event.target.matches(".candidate input")) document.getElementById("f-clientSecretKeyId").value = event.target.value;
});

// What came back from Microsoft in the address is used up: it need not stand there.
if (location.pathname.endsWith("/callback")) {
  const form = document.querySelector("[data-connection-form]");
  history.replaceState(null, "", form ? form.getAttribute("action") : location.pathname);
}

// --- live progress --------------------------------------------------------------------------------------------------

let stream = null;
let poll = 0;

function follow() {
  const address = document.querySelector("#live[data-live]")?.dataset.live;
  if (!address) return stop();
  if (stream || poll) return;
  stream = new EventSource(address);
  stream.addEventListener("news", refresh);
  stream.addEventListener("done", () => {
    stop();
    refresh();
  });
  stream.onerror = () => {
    // No stream through this proxy: ask every two seconds instead.
    stop();
    poll = setInterval(refresh, 2000);
  };
}

function stop() {
  stream?.close();
  stream = null;
  clearInterval(poll);
  poll = 0;
}

function refresh() {
  htmx.trigger("#live", "news");
}

document.addEventListener("htmx:afterSettle", follow);
addEventListener("pagehide", stop);
addEventListener("pageshow", follow);

// --- what others begin is seen, too: a page asks for itself again, often while there is work under way ----------------

const SELDOM = 4_000;
const AWAY = 300_000;
let asked = Date.now();
let touched = asked;
["pointermove", "keydown", "focus"].forEach((kind) => addEventListener(kind, () => { touched = Date.now(); }));

setInterval(() => {
  const part = document.querySelector("[data-refreshes]");
  // What is being sent may be the deletion of what would be asked for.
  if (!part || document.hidden || document.querySelector("form[data-sent]")) return;
  const now = Date.now();
  // A session must not live on because nobody is there.
  if (part.dataset.refreshes !== "often" && (now - asked < SELDOM || now - touched > AWAY)) return;
  // Unless somebody is about to do something in it; one with a mark is left as it is when nothing is new.
  if (!part.dataset.mark && part.querySelector(":checked, :focus, details[open]")) return;
  asked = now;
  htmx.trigger(part, "news");
}, 2000);

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, xhr } = event.detail;
  if (xhr.status === 404) delete target.dataset.refreshes;
  if (!target.matches("[data-refreshes][data-mark]")) return;
  const fresh = new DOMParser().parseFromString(xhr.responseText, "text/html").getElementById(target.id);
  if (fresh?.dataset.mark === target.dataset.mark) event.detail.shouldSwap = false;
});

// --- what somebody opened, typed or came to stays when the page asks for a part of itself by itself -----------------------

const BY_ITSELF = ["news", "load"];
let stays = null;
let putOff = null;

// What nobody has folded or unfolded is as the page says: a run is open as long as it is under way.
const folded = new WeakSet();
document.addEventListener("click", (event) => {
  const part = event.target.closest("summary")?.parentElement;
  if (part) folded.add(part);
});

// Where a node is: by its id, or by its number among those of its kind in what has one.
function placeOf(node) {
  if (node.id) return { id: node.id };
  const home = node.parentElement.closest("[id]");
  return { id: home.id, name: node.localName, number: [...home.querySelectorAll(node.localName)].indexOf(node), text: textOf(node) };
}

function nodeAt({ id, name, number, text }) {
  const home = document.getElementById(id);
  if (!name || !home) return home;
  const node = home.querySelectorAll(name)[number];
  return node && textOf(node) === text ? node : null;
}

// What a node says; of a field, what it asks, and of what: nobody has agreed to anything else. Times that are told pass meanwhile.
function textOf(node) {
  if (!node.form) return (node.querySelector("summary") ?? node).textContent.replace(/\d+ \w+ ago|just now/g, "");
  const about = [...node.form.querySelectorAll("[type=hidden]")].map((one) => one.value);
  return [...about, ...[...(node.labels ?? [])].map((one) => one.textContent)].join("\n");
}

const isChanged = (field) => field.value !== field.defaultValue || field.checked !== field.defaultChecked;

document.addEventListener("htmx:beforeSwap", (event) => {
  const { target, requestConfig } = event.detail;
  if (!BY_ITSELF.includes(requestConfig.triggeringEvent?.type) || !event.detail.shouldSwap) return;
  const selection = getSelection();
  if (!selection.isCollapsed && target.contains(selection.anchorNode)) {
    // It would be gone before it is copied.
    event.detail.shouldSwap = false;
    putOff = target.id;
    return;
  }
  const all = (selector) => [...document.getElementById("main").querySelectorAll(selector)];
  const active = document.activeElement;
  stays = {
    opened: all("details").filter((one) => folded.has(one)).map((one) => [placeOf(one), one.open]),
    typed: all("input:not([type=hidden]), textarea").filter(isChanged).map((one) => [placeOf(one), one.value, one.checked]),
    scrolled: all(".table-box").filter((one) => one.scrollLeft).map((one) => [placeOf(one), one.scrollLeft]),
    focused: target.contains(active) ? [placeOf(active), active.selectionStart, active.selectionEnd] : null,
  };
});

document.addEventListener("htmx:afterSettle", () => {
  if (!stays) return;
  const { opened, typed, scrolled, focused } = stays;
  stays = null;
  const at = (found, act) => found.forEach(([place, ...values]) => { const node = nodeAt(place); if (node) act(node, ...values); });
  at(opened, (one, open) => { one.open = open; folded.add(one); });
  at(typed, (one, value, checked) => { one.value = value; one.checked = checked; });
  at(scrolled, (one, left) => { one.scrollLeft = left; });
  at(focused ? [focused] : [], (one, start, end) => {
    one.focus({ preventScroll: true });
    if (typeof start === "number") one.setSelectionRange(start, end);
  });
});

document.addEventListener("selectionchange", () => {
  if (!putOff || !getSelection().isCollapsed) return;
  const part = document.getElementById(putOff);
  putOff = null;
  if (part) htmx.trigger(part, "news");
});

// --- several at once ------------------------------------------------------------------------------------------------

document.addEventListener("change", (event) => {
  const all = event.target.dataset?.ticks;
  if (all) document.querySelectorAll(`${all} [form=several]`).forEach((one) => (one.checked = event.target.checked));
  if (!all && !event.target.matches("[form=several]")) return;
  const boxes = [...document.querySelectorAll("[form=several]")];
  const chosen = boxes.filter((one) => one.checked).length;
  document.getElementById("several").classList.toggle("any", chosen > 0);
  document.querySelector("[data-chosen]").textContent = `${chosen} chosen:`;
  const ticksAll = document.querySelector("[data-ticks]");
  ticksAll.checked = chosen === boxes.length;
  ticksAll.indeterminate = chosen > 0 && chosen < boxes.length;
});
