// The live page: parts arrive as events, and take the place of older ones.
(() => {
"use strict";
const main = document.querySelector("main");
const state = document.getElementById("state");

// Chosen runs stay chosen when their table is drawn again.
const chosen = new Set();
const count = () => {
  for (const text of all(".chosen")) text.textContent = chosen.size ? `${chosen.size} chosen` : "";
};
document.addEventListener("change", ({ target }) => {
  if (!target.matches("input[name=run]")) return;
  if (target.checked) chosen.add(target.value); else chosen.delete(target.value);
  count();
});
// Also runs that were chosen and are in the table no more.
document.addEventListener("submit", (event) => {
  if (!event.target.matches(".choose")) return;
  event.preventDefault();
  const query = new URLSearchParams([...chosen].map((run) => ["run", run]));
  location.assign(`${event.target.action}?${query}`);
});
for (const box of all("input[name=run]")) if (box.checked) chosen.add(box.value);
count();

// What a reader has done to a part is done to the new one: it is found by its place among others.
const KEPT = "details, input, select, button, th, a, summary, [tabindex]";
const remember = (old) => ({
  items: all(KEPT, old).map((one) => ({
    open: one.open, value: one.value, pressed: one.getAttribute("aria-pressed"),
    sort: one.getAttribute("aria-sort"), text: one.textContent, focus: one === document.activeElement,
    tag: one.tagName,
  })),
  scrolled: all(".scroll", old).map((one) => [one.scrollLeft, one.scrollTop]),
});
const restore = (part, { items, scrolled }) => {
  all(KEPT, part).forEach((one, place) => {
    const old = items[place];
    if (!old || old.tag !== one.tagName) return;
    if (one.tagName === "DETAILS") one.open = old.open;
    if (one.type === "search" && old.value) {
      one.value = old.value;
      one.dispatchEvent(new Event("input"));
    }
    if (old.pressed !== null && old.pressed !== one.getAttribute("aria-pressed")) one.click();
    if (old.sort && one.querySelector("button")) {
      one.querySelector("button").click();
      if (old.sort !== one.getAttribute("aria-sort")) one.querySelector("button").click();
    }
    if (old.focus) one.focus({ preventScroll: true });
  });
  for (const box of all("input[name=run]", part)) box.checked = chosen.has(box.value);
  all(".scroll", part).forEach((one, place) => {
    if (scrolled[place]) [one.scrollLeft, one.scrollTop] = scrolled[place];
  });
};
const enhanced = (element) => {
  element.dispatchEvent(new CustomEvent("nnrun:content", { bubbles: true }));
  return element;
};
const replace = (part) => {
  const old = document.getElementById(part.id);
  if (!part.section) {
    if (old) old.innerHTML = part.html;
    return;
  }
  if (old && old.dataset.digest === part.digest) return;
  const box = document.createElement("template");
  box.innerHTML = part.html;
  const next = box.content.firstElementChild;
  next.dataset.digest = part.digest;
  const kept = old && remember(old);
  if (old) old.replaceWith(next); else main.append(next);
  enhanced(next);
  if (kept) restore(next, kept);
  count();
};
const arrange = (order) => {
  const known = new Set(order.map(([id]) => id));
  for (const section of all(":scope > section", main)) if (!known.has(section.id)) section.remove();
  const sections = order.map(([id]) => document.getElementById(id)).filter((one) => one && one.parentNode === main);
  sections.forEach((one, place) => {
    if (main.children[place] !== one) main.insertBefore(one, main.children[place] || null);
  });
  const contents = document.querySelector("#contents ul");
  const titled = order.filter(([, title]) => title);
  const same = contents && all("a", contents).slice(1).map((a) => a.textContent).join() === titled.map(([, title]) => title).join();
  if (!contents || same) return;
  const items = titled.map(([id, title]) => make("li", {}, make("a", { href: `#${id}` }, title)));
  contents.replaceChildren(contents.firstElementChild, ...items);
  enhanced(contents);
};

// One connection; where it ends, the page tries again and says so.
const say = (text) => {
  state.hidden = false;
  if (state.textContent !== text) state.textContent = text;
  state.classList.toggle("lost", text !== "Live.");
};
const SILENT = "The server does not answer; this page tries again.";
let source = null, again = 0;
const close = () => {
  clearTimeout(again);
  if (source) source.close();
  source = null;
};
const draw = ({ order, parts }) => {
  if (!order.length) {  // the run has ended
    close();
    location.reload();
    return;
  }
  const { scrollX, scrollY } = window;
  parts.forEach(replace);
  arrange(order);
  if (scrollX !== window.scrollX || scrollY !== window.scrollY) scrollTo(scrollX, scrollY);
};
// A click would be lost if what is pressed were drawn again before it is released.
const waiting = [];
const drawWaiting = () => {
  if (main.querySelector(":active")) setTimeout(drawWaiting, 50);
  else waiting.splice(0).forEach(draw);
};
const arrived = ({ data }) => {
  waiting.push(JSON.parse(data));
  drawWaiting();
};
const listen = () => {
  close();
  source = new EventSource(main.dataset.events);
  source.addEventListener("open", () => say("Live."));
  source.addEventListener("parts", arrived);
  source.addEventListener("full", () => {
    close();
    say("Too many pages are open: close some of them; this one tries again.");
    again = setTimeout(listen, 10_000);
  });
  source.addEventListener("error", async ({ target }) => {
    say(SILENT);
    if (target.readyState !== EventSource.CLOSED) return;
    const status = await fetch(location.href, { method: "HEAD" }).then((answer) => answer.status, () => 0);
    if (target !== source) return;
    if (status === 403) say("The server was started again: open the address that it has printed.");
    else again = setTimeout(listen, 2000);
  });
};
if (main.dataset.events) {
  listen();
  // Browsers open few connections to a server: a page that nobody sees has none, and catches up.
  document.addEventListener("visibilitychange", () => (document.hidden ? close() : listen()));
  addEventListener("pagehide", close);
  addEventListener("pageshow", (event) => { if (event.persisted) listen(); });
}
})();
