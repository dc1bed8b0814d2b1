"use strict";
// Every two seconds, while somebody looks, the parts marked data-live are replaced by what the page says now. A part with an open
// form stays as it is, so that nobody loses what they type; focus stays on the button it was on.
const inUse = (part) => part.querySelector("details[open]") || (part.contains(document.activeElement) && document.activeElement.matches("input, select"));
async function refresh() {
  const answer = await fetch(location.href, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(10000) });
  if (!answer.ok) return;
  const now = new DOMParser().parseFromString(await answer.text(), "text/html");
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = now.getElementById(part.id);
    if (!part.isConnected || !next || next.innerHTML === part.innerHTML || inUse(part)) continue;
    const focused = part.contains(document.activeElement) ? document.activeElement.id : "";
    part.replaceChildren(...next.childNodes);
    if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
  }
}
async function live() {
  if (document.visibilityState === "visible") {
    try { await refresh(); } catch { /* the emulator is away; it is asked again */ }
  }
  setTimeout(live, 2000);
}
setTimeout(live, 2000);
