// What makes the pages of secrets quicker to use. Everything but copying and files also works without it.
"use strict";

// Values that were asked for, as long as the page is open: by the id of the secret, or by the number of the version.
const revealed = new Map();

async function reveal(form, keys, fields) {
  const missing = keys.filter((key) => !revealed.has(key));
  if (!missing.length) return true;
  const body = new URLSearchParams({ as_json: "true" });
  missing.forEach((key) => Object.entries(fields(key)).forEach(([name, value]) => body.append(name, value)));
  let answer;
  try {
    answer = await fetch(form.action, { method: "POST", body, redirect: "manual", cache: "no-store" });
  } catch {
    toast("The server does not answer.");
    return false;
  }
  if (!answer.ok) {
    toast({ 0: "Your session has ended. Sign in again.", 403: "You may not read these values.", 404: "Some of these secrets are gone. Load the page again." }[answer.status] ?? "This did not work. Try again.");
    return false;
  }
  Object.entries((await answer.json()).values).forEach(([key, value]) => revealed.set(key, value));
  return missing.every((key) => revealed.has(key));
}

const valuesForm = () => document.querySelector("[data-reveals-form]");
const revealSecrets = (keys) => reveal(valuesForm(), keys, (id) => ({ ids: id }));
const oneForm = (version) => document.querySelector(`[data-reveals-one="${version}"]`);
const revealVersion = (version) => reveal(oneForm(version), [version], (number) => ({ version: number }));

function show(key, button) {
  const place = document.getElementById(`value-${key}`);
  const made = document.createElement("pre");
  made.textContent = revealed.get(key);
  place.replaceChildren(made);
  mark(button, true);
}

function hide(key, button) {
  const dots = document.createElement("span");
  dots.className = "dots";
  dots.textContent = "••••••••";
  document.getElementById(`value-${key}`).replaceChildren(dots);
  mark(button, false);
}

function mark(button, shown) {
  button.setAttribute("aria-pressed", String(shown));
  button.firstChild.textContent = shown ? "Hide" : "Show";
}

async function copyValue(key, asked) {
  if (!(await asked)) return;
  try {
    await navigator.clipboard.writeText(revealed.get(key));
    toast("The value was copied.");
  } catch {
    toast("This browser does not let the page copy. Show the value and copy it by hand.");
  }
}

document.addEventListener("click", async (event) => {
  const one = event.target.closest("[data-reveals-value]");
  if (one) {
    event.preventDefault();
    if (one.getAttribute("aria-pressed") === "true") hide(one.value, one);
    else if (await revealSecrets([one.value])) show(one.value, one);
    return;
  }
  const all = event.target.closest("[data-reveals-all]");
  if (all) {
    event.preventDefault();
    const buttons = [...document.querySelectorAll("[data-reveals-value]")];
    const shown = all.getAttribute("aria-pressed") === "true";
    if (!shown && !(await revealSecrets(buttons.map((button) => button.value)))) return;
    buttons.forEach((button) => (shown ? hide : show)(button.value, button));
    all.setAttribute("aria-pressed", String(!shown));
    all.textContent = shown ? "Show all values" : "Hide all values";
    return;
  }
  const copier = event.target.closest("[data-copies-value]");
  if (copier) return copyValue(copier.dataset.copiesValue, revealSecrets([copier.dataset.copiesValue]));
  const versionCopier = event.target.closest("[data-copies-version]");
  if (versionCopier) return copyValue(versionCopier.dataset.copiesVersion, revealVersion(versionCopier.dataset.copiesVersion));
  const filler = event.target.closest("[data-fills-value]");
  if (filler && (await revealVersion(filler.dataset.fillsValue))) fill(filler.form.elements.secret_value, revealed.get(filler.dataset.fillsValue));
});

document.addEventListener(
  "submit",
  async (event) => {
    const version = event.target.dataset.revealsOne;
    if (version) {
      event.preventDefault();
      event.stopPropagation();
      const button = event.target.querySelector("button");
      if (button.getAttribute("aria-pressed") === "true") hide(version, button);
      else if (await revealVersion(version)) show(version, button);
    }
    // A download leaves the page as it is: it may be asked for again.
    if ("downloads" in event.target.dataset) {
      setTimeout(() => {
        delete event.target.dataset.sent;
        event.target.closest("dialog")?.close();
      }, 500);
    }
  },
  true,
);

// --- fields of values -------------------------------------------------------------------------------------------------

// A field for typing knows one kind of line break; which of them a value has is chosen beside it.
function fill(field, text) {
  const rest = text.replaceAll("\r\n", "");
  const mixed = rest.includes("\r") || (rest !== text && rest.includes("\n"));
  if (mixed) {
    toast("The value has line breaks of several kinds, which no browser can send.");
    return;
  }
  field.value = text;
  field.form.elements.line_breaks.value = rest === text ? "lf" : "crlf";
  field.focus();
}

const LARGEST_FILE = 512 * 1024;

// A file is read here and never leaves the page by itself: its text stands in the field.
document.addEventListener("change", async (event) => {
  const { readsValue, readsText } = event.target.dataset ?? {};
  const file = event.target.files?.[0];
  if (!file || !(readsValue || readsText)) return;
  event.target.value = "";
  if (file.size > LARGEST_FILE) {
    toast(`${file.name} has ${Math.ceil(file.size / 1024)} KiB; 512 are taken.`);
    return;
  }
  const text = asText(new Uint8Array(await file.arrayBuffer()));
  if (text === null) {
    toast(`${file.name} is no text. Write it as base64 first.`);
    return;
  }
  const field = document.getElementById(readsValue || readsText);
  if (readsValue) fill(field, text);
  else field.value = text;
  toast(`${file.name} was read.`);
});

function asText(bytes) {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  try {
    const text = new TextDecoder(encoding, { fatal: true }).decode(bytes);
    return text.includes("\0") ? null : text;
  } catch {
    return null;
  }
}

// What was shown does not wait in the browser's memory of pages that were left.
addEventListener("pagehide", () => {
  revealed.clear();
  for (const button of document.querySelectorAll("[data-reveals-value][aria-pressed=true]")) hide(button.value, button);
  for (const button of document.querySelectorAll("[data-reveals-one] [aria-pressed=true]")) hide(button.form.dataset.revealsOne, button);
});
