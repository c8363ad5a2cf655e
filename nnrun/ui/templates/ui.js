// The live page: parts arrive as events, and take the place of older ones.
(() => {
"use strict";
const main = document.querySelector("main");
const state = document.getElementById("state");

// The address has what was chosen, filtered and sorted, so that a link brings a reader to the same
// view: `?name=A title&run=iris/s1-…&find:Runs=adam&sort:Runs=-4`.
const given = new URLSearchParams(location.search), chosen = new Set(given.getAll("run"));
const bar = document.querySelector("form.chosen");
const tables = (root) => all("table.sortable", root).map((table) => ({
  table, key: table.caption.textContent, head: table.querySelector("th[aria-sort]"),
  box: table.closest(".scroll").previousElementSibling.querySelector(":scope > input[type=search]"),
}));
const address = (changes = {}) => {
  const query = new URLSearchParams(location.search);
  query.delete("run");
  for (const run of chosen) query.append("run", run);
  const put = (key, text) => (text ? query.set(key, text) : query.delete(key));
  for (const { key, head, box } of tables(main)) {
    put(`sort:${key}`, head && `${head.getAttribute("aria-sort") === "descending" ? "-" : ""}${head.cellIndex}`);
    if (box) put(`find:${key}`, box.value);
  }
  for (const [key, text] of Object.entries(changes)) put(key, text);
  return `?${query}${location.hash}`;
};
const look = (root) => {
  for (const { table, key, box } of tables(root)) {
    const sort = given.get(`sort:${key}`) || "", column = Math.abs(Number(sort));
    const detail = { column, down: sort.startsWith("-") };
    if (sort && column < table.tHead.rows[0].cells.length) table.dispatchEvent(new CustomEvent("nnrun:sort", { detail }));
    if (!box) continue;
    box.value = given.get(`find:${key}`) || "";
    box.dispatchEvent(new Event("input"));
  }
};
const count = () => {
  for (const box of all("input[name=run]")) box.checked = chosen.has(box.value);
  bar.firstElementChild.textContent = `${chosen.size} chosen`;
  bar.hidden = !chosen.size || document.querySelector(".compared") !== null;
};
const keep = () => {
  count();
  history.replaceState(null, "", address());
};
document.addEventListener("change", ({ target }) => {
  if (!target.matches("input[name=run]")) return;
  if (target.checked) chosen.add(target.value); else chosen.delete(target.value);
  keep();
});
document.addEventListener("input", ({ target, isTrusted }) => { if (isTrusted && target.matches(".tools > input")) keep(); });
document.addEventListener("click", ({ target, isTrusted }) => { if (isTrusted && target.closest("th button")) keep(); });
bar.addEventListener("reset", () => { chosen.clear(); keep(); });
document.addEventListener("submit", (event) => {
  const filters = event.target.matches("form[role=search]");
  if (event.target !== bar && !filters) return;
  event.preventDefault();
  if (filters) location.assign(address({ page: "", ...Object.fromEntries(new FormData(event.target)) }));
  else location.assign(`${bar.action}?${new URLSearchParams([...chosen].map((run) => ["run", run]))}`);
});
for (const link of all(".paging a")) link.addEventListener("click", () => { link.search = address({ page: new URLSearchParams(link.search).get("page") }); });

// Curves of many points can be drawn as means of their neighbours.
const MANY = 40, NEAR = 4;
const smooth = (way) => way.split("M").slice(1).map((part) => {
  const points = part.split("L").map((pair) => pair.trim().split(/[ ,]/).map(Number));
  const mean = (at, reach) => points.slice(at - reach, at + reach + 1).reduce((sum, [, y]) => sum + y, 0) / (2 * reach + 1);
  return `M${points.map(([x], at) => `${x} ${mean(at, Math.min(NEAR, at, points.length - 1 - at)).toFixed(1)}`).join("L")}`;
}).join("");
const curves = (root) => {
  for (const plots of all(".plots", root)) {
    const lines = all(".figures path.line", plots).map((line) => [line, line.getAttribute("d")]).filter(([, way]) => way.split("L").length > MANY);
    if (!lines.length) continue;
    const button = make("button", { type: "button", "aria-pressed": "false" }, "smooth");
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      for (const [line, way] of lines) line.setAttribute("d", on ? smooth(way) : way);
    });
    plots.querySelector(".figures").before(make("div", { class: "tools" }, button));
  }
};
document.addEventListener("nnrun:content", (event) => curves(event.target));
curves(document);
look(document);
count();

// What a reader has done to a part is done to the new one: it is found by its kind and name, and its
// place among those of the same name.
const KEPT = "details, input, select, button, th, a, summary, [tabindex]";
const named = (one) => `${one.tagName} ${one.getAttribute("aria-label") || (one.tagName === "DETAILS" ? one.firstElementChild : one).textContent}`;
const remember = (old) => ({
  items: all(KEPT, old).map((one) => ({
    open: one.open, value: one.value, pressed: one.getAttribute("aria-pressed"),
    sort: one.getAttribute("aria-sort"), name: named(one), focus: one === document.activeElement,
  })),
  scrolled: all(".scroll", old).map((one) => [one.scrollLeft, one.scrollTop]),
});
const restore = (part, { items, scrolled }) => {
  const left = new Map();
  for (const item of items) left.set(item.name, [...(left.get(item.name) || []), item]);
  for (const one of all(KEPT, part)) {
    const old = (left.get(named(one)) || []).shift();
    if (!old) continue;
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
  }
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
  const height = old && old.offsetHeight;
  if (old) old.replaceWith(next); else main.append(next);
  enhanced(next);
  if (kept) restore(next, kept);
  else look(next);
  // While runs are in progress, their section does not shrink.
  if (old && next.id === "now" && next.querySelector("table")) next.style.minHeight = `${height}px`;
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
  // What is in view stays where it is, whatever has come above it.
  const { scrollX, scrollY } = window, seen = scrollY && all(":scope > section", main).find((one) => one.getBoundingClientRect().bottom > 50);
  const before = seen && seen.getBoundingClientRect().top;
  parts.forEach(replace);
  arrange(order);
  const after = seen && document.getElementById(seen.id);
  scrollTo(scrollX, after ? window.scrollY + after.getBoundingClientRect().top - before : scrollY);
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
