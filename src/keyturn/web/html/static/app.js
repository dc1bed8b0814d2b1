// What makes pages quicker to use. Everything also works without it.
"use strict";

const root = document.documentElement;
root.classList.add("scripted");

const each = (selector, act, within = document) => within.querySelectorAll(selector).forEach(act);

// Below a path of a shared host, cookies are for that path.
const base = new URL(document.currentScript.src).pathname.replace(/static\/app\.js$/, "");

function keep(name, value) {
  const secure = location.protocol === "https:" ? "; Secure" : "";
  document.cookie = `${name}=${encodeURIComponent(value)}; Path=${base}; SameSite=Lax; Max-Age=31536000${secure}`;
}

// The server shows moments on this machine's clock once it knows the zone.
keep("keyturn_zone", Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC");

// What is said already stays for longer, and is not said twice.
function toast(text) {
  let shown = [...document.querySelectorAll(".toast")].find((one) => one.textContent === text);
  if (!shown) {
    shown = document.createElement("div");
    shown.className = "toast";
    shown.textContent = text;
    document.querySelector(".toasts").append(shown);
  }
  leave(shown);
}

const leaving = new WeakMap();

function leave(shown) {
  leaving.get(shown)?.forEach(clearTimeout);
  shown.classList.remove("leaving");
  leaving.set(shown, [setTimeout(() => shown.classList.add("leaving"), 6000), setTimeout(() => shown.remove(), 6400)]);
}

// --- dialogs --------------------------------------------------------------------------------------------------------

function openDialog(dialog) {
  if (!dialog.open) dialog.showModal();
  const first = dialog.querySelector("[autofocus], .modal-body input:not([type=hidden]), .modal-body select, .modal-body textarea");
  if (first) first.focus();
}

document.addEventListener("click", (event) => {
  const opener = event.target.closest("[data-opens]");
  if (opener) {
    const dialog = document.querySelector(opener.getAttribute("href"));
    if (dialog) {
      event.preventDefault();
      opener.closest("details[data-menu]")?.removeAttribute("open");
      openDialog(dialog);
    }
    return;
  }
  const closer = event.target.closest("[data-closes]");
  if (closer) {
    event.preventDefault();
    closer.closest("dialog").close();
    if (location.hash) history.replaceState(null, "", location.pathname + location.search);
    return;
  }
  if (event.target.matches("dialog.modal") && outside(event)) event.target.close();
});

function outside(event) {
  const box = event.target.getBoundingClientRect();
  return event.clientX < box.left || event.clientX > box.right || event.clientY < box.top || event.clientY > box.bottom;
}

// Links that act as buttons take the space bar as buttons do.
document.addEventListener("keydown", (event) => {
  if (event.key === " " && event.target.matches("a[role=button]")) {
    event.preventDefault();
    event.target.click();
  }
});

// --- menus ----------------------------------------------------------------------------------------------------------

const openMenus = () => [...document.querySelectorAll("details[data-menu][open]")];

document.addEventListener("click", (event) => {
  openMenus().forEach((menu) => menu.contains(event.target) || menu.removeAttribute("open"));
});

document.addEventListener("keydown", (event) => {
  const menu = event.target.closest?.("details[data-menu][open]");
  if (!menu) return;
  if (event.key === "Escape") {
    menu.removeAttribute("open");
    menu.querySelector("summary").focus();
    return;
  }
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step) return;
  const items = [...menu.querySelectorAll(".menu-body a, .menu-body button, .menu-body input")].filter((one) => one.offsetParent);
  if (!items.length) return;
  event.preventDefault();
  const now = items.indexOf(document.activeElement);
  items[(now + step + items.length) % items.length].focus();
});

document.addEventListener("input", (event) => {
  const list = event.target.dataset?.filters;
  if (!list) return;
  const words = event.target.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  each(`${list} > [data-text], ${list} tbody > [data-text]`, (one) => {
    one.hidden = !words.every((word) => one.dataset.text.includes(word));
    found += !one.hidden;
  });
  const none = event.target.dataset.saysNone;
  if (none) document.querySelector(none).hidden = found > 0;
});

// A slash leads to the search of the page, or of everything, as long as nobody is writing.
const isWriting = (node) => node?.matches?.("input, textarea, select, [contenteditable]");

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || isWriting(event.target) || document.querySelector("dialog[open]")) return;
  const search = document.querySelector("[data-shortcut='/']");
  if (!search && !palette) return;
  event.preventDefault();
  if (!search) return find();
  search.focus();
  search.select();
});

// --- finding anything -----------------------------------------------------------------------------------------------

const palette = document.getElementById("palette");
const finder = palette?.querySelector("input");
let opensFirst = false;

function find() {
  if (!palette.open) palette.showModal();
  finder.focus();
  finder.select();
  opensFirst = false;
  htmx.trigger(finder, "open");
}

const choices = () => [...palette.querySelectorAll("[role=option]")];

// The focus stays where one types; which of the links would be followed is told by the input.
function choose(link) {
  choices().forEach((one) => one.setAttribute("aria-selected", String(one === link)));
  if (link) finder.setAttribute("aria-activedescendant", link.id);
  else finder.removeAttribute("aria-activedescendant");
  link?.scrollIntoView({ block: "nearest" });
}

// By itself what is found is a list of links, as on its own page: here it is what the input offers.
function offer(list) {
  list?.setAttribute("role", "listbox");
  list?.setAttribute("aria-label", "Found");
  list?.querySelectorAll("li").forEach((one) => one.setAttribute("role", "none"));
  list?.querySelectorAll("a").forEach((link, number) => {
    link.id = `found-${number}`;
    link.setAttribute("role", "option");
    link.tabIndex = -1;
  });
}

palette?.addEventListener("htmx:afterSwap", (event) => {
  offer(palette.querySelector(".found"));
  const found = choices();
  finder.setAttribute("aria-expanded", String(found.length > 0));
  palette.querySelector("[role=status]").textContent = `${found.length} found`;
  palette.dataset.found = new URL(event.detail.xhr.responseURL).searchParams.get("q") ?? "";
  choose(found[0]);
  if (opensFirst) found[0]?.click();
  opensFirst = false;
});

document.addEventListener("keydown", (event) => {
  if (!palette) return;
  if (event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.shiftKey && !event.altKey) {
    event.preventDefault();
    find();
  }
});

finder?.addEventListener("keydown", (event) => {
  const found = choices();
  const at = found.findIndex((one) => one.getAttribute("aria-selected") === "true");
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step && found.length) {
    event.preventDefault();
    choose(found[(at + step + found.length) % found.length]);
  } else if (event.key === "Enter" && !event.isComposing) {
    event.preventDefault();
    // What was typed faster than it is found is waited for.
    if (finder.value !== palette.dataset.found) opensFirst = true;
    else found[at]?.click();
  } else if (event.key === "Escape") {
    event.preventDefault();
    palette.close();
  }
});

document.addEventListener("click", (event) => {
  if (palette && event.target.closest("[data-finds]")) {
    event.preventDefault();
    find();
  } else if (event.target === palette && outside(event)) palette.close();
});

// --- small things ---------------------------------------------------------------------------------------------------

document.addEventListener("click", async (event) => {
  const copier = event.target.closest("[data-copy]");
  if (copier) {
    const label = copier.querySelector("[data-copy-label]");
    try {
      await navigator.clipboard.writeText(copier.dataset.copy);
      label.textContent = "Copied";
    } catch {
      select(copier.previousElementSibling);
      label.textContent = "Press Ctrl+C";
    }
    setTimeout(() => (label.textContent = "Copy"), 2000);
    return;
  }
  const revealer = event.target.closest("[data-reveals]");
  if (revealer) {
    const input = document.getElementById(revealer.dataset.reveals);
    const shown = input.type === "text";
    input.type = shown ? "password" : "text";
    revealer.textContent = shown ? "Show" : "Hide";
    revealer.setAttribute("aria-pressed", String(!shown));
    return;
  }
  const toggle = event.target.closest("[data-toggles=side]");
  if (toggle) {
    const open = toggle.closest(".side").classList.toggle("open");
    toggle.setAttribute("aria-expanded", String(open));
  }
});

function select(node) {
  if (node) getSelection().selectAllChildren(node);
}

document.addEventListener("change", (event) => {
  const shown = event.target.dataset?.shows;
  if (shown) document.querySelector(shown).hidden = !event.target.checked;
});

// The theme changes at once; the server only remembers it.
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.matches("[data-theme-switch]") && event.submitter) {
    event.preventDefault();
    const theme = event.submitter.value;
    if (theme === "system") delete root.dataset.theme;
    else root.dataset.theme = theme;
    each("[data-theme-switch] button", (one) => one.setAttribute("aria-pressed", String(one.value === theme)));
    const body = new URLSearchParams({ theme, back: location.pathname });
    fetch(form.getAttribute("action"), { method: "POST", body, redirect: "manual" });
    return;
  }
  // A second click must not send a form twice.
  if (form.getAttribute("method") === "post" && !form.hasAttribute("hx-post")) {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  }
});
addEventListener("pageshow", () => each("form[data-sent]", (form) => delete form.dataset.sent));

document.addEventListener("htmx:responseError", (event) => {
  toast(event.detail.xhr.status === 401 ? "Your session has ended. Sign in again." : "This did not work. Try again.");
});
document.addEventListener("htmx:sendError", () => toast("The server does not answer."));

// What a page asks for by itself leads nobody away from what they are typing.
document.addEventListener("htmx:beforeOnLoad", (event) => {
  const { requestConfig, xhr } = event.detail;
  if (requestConfig.triggeringEvent?.type !== "news" || !xhr.getResponseHeader("HX-Redirect")) return;
  event.preventDefault();
  toast("Your session has ended. Sign in again.");
});

function prepare(within) {
  each("[data-reveals]", (one) => (one.hidden = false), within);
  each("[data-shows]", (one) => (document.querySelector(one.dataset.shows).hidden = !one.checked), within);
  each("[data-toast]", leave, within);
  each("form[data-confirms]", (form) => {
    const typed = form.querySelector("[name=confirm]");
    const button = form.querySelector("button.button-danger");
    const check = () => (button.disabled = typed.value.trim() !== form.dataset.confirms);
    typed.addEventListener("input", check);
    check();
  }, within);
}

// --- Back -----------------------------------------------------------------------------------------------------------

// Browsers forget what was typed into pages that must not be stored. It waits in this entry of the history; no secret does.
const keeps = (field) =>
  field.name && !["password", "hidden", "file", "radio", "submit"].includes(field.type) && !field.matches(".masked, [inputmode=numeric]");

document.addEventListener("input", (event) => {
  const form = event.target.form;
  if (form?.getAttribute("method") !== "post") return;
  const values = {};
  [...form.elements].filter(keeps).forEach((field) => (values[field.name] = field.type === "checkbox" ? field.checked : field.value));
  const typed = { ...history.state?.typed, [form.getAttribute("action")]: values };
  history.replaceState({ ...history.state, typed }, "");
});

function comeBack(form) {
  const values = history.state?.typed?.[form.getAttribute("action")] ?? {};
  [...form.elements].filter(keeps).forEach((field) => {
    if (!(field.name in values)) return;
    if (field.type === "checkbox") field.checked = values[field.name];
    else field.value = values[field.name];
  });
}

if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") each("form[method=post]", comeBack);

prepare(document);
document.addEventListener("htmx:load", (event) => event.target !== document.body && prepare(event.target));

each("dialog[data-open]", (dialog) => {
  dialog.removeAttribute("open");
  openDialog(dialog);
});
if (location.hash.length > 1) {
  const asked = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (asked?.matches("dialog.modal")) {
    openDialog(asked);
    // Once all is loaded, the browser goes to what the address names and takes the focus along.
    addEventListener("load", () => setTimeout(() => openDialog(asked)), { once: true });
  }
}
// What went wrong, or the first field with a fault, which may be folded away.
each("details:has([aria-invalid=true])", (part) => { part.open = true; });
const faulty = [...document.querySelectorAll("[aria-invalid=true]")];
(document.querySelector("[data-focus]") ?? faulty.find((field) => field.getClientRects().length))?.focus();
