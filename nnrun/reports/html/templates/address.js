(() => {
// A link to something within closed details opens them; to a card that a filter hides, ends that.
const reveal = (id) => {
  const target = id && document.getElementById(id);
  if (!target) return;
  if (target.closest(".cards .hide")) find(boxes.indexOf(document.querySelector(".cards").previousElementSibling.firstElementChild), "");
  for (let element = target; element; element = element.parentElement) {
    if (element.tagName === "DETAILS") element.open = true;
  }
  target.scrollIntoView();
};

// The address of a report is `#place?open=2.5&find0=adam&sort1=-4&log0=1`: the place, then the runs
// that are open, and by their number filters, sorted columns (falling: -) and logarithmic charts.
const keeps = document.body.dataset.address !== undefined;
const runs = all(".cards > details.run"), tables = all("table.sortable"), boxes = all("input[type=search]");
const logs = all(".plots .tools button");
const pressed = (button) => button.getAttribute("aria-pressed") === "true";
const sorted = (table) => {
  const head = table.querySelector("th[aria-sort]");
  return head ? `${head.getAttribute("aria-sort") === "descending" ? "-" : ""}${head.cellIndex}` : "";
};
const state = () => {
  const found = new URLSearchParams();
  const put = (key, text) => { if (text) found.set(key, text); };
  put("open", runs.filter((run) => run.open).map((run) => run.id.slice(4)).join("."));
  boxes.forEach((box, index) => put(`find${index}`, box.value));
  tables.forEach((table, index) => put(`sort${index}`, sorted(table)));
  logs.forEach((button, index) => put(`log${index}`, pressed(button) ? "1" : ""));
  return found.toString();
};
const find = (index, words) => {
  if (words === boxes[index].value) return;
  boxes[index].value = words;
  boxes[index].dispatchEvent(new Event("input"));
};
let current = "", clicked = false;
const write = (target, replaces) => {
  const query = state(), next = query ? `#${target}?${query}` : `#${target || "?"}`;
  if (!keeps || next === current || (!target && query === (current.split("?")[1] || ""))) return;
  current = next;
  if (replaces) location.replace(next);
  else location.hash = next;
};
const apply = () => {
  current = location.hash;
  const [target, query] = current.slice(1).split("?");
  const wanted = new URLSearchParams(query || "");
  const open = (wanted.get("open") || "").split(".");
  runs.forEach((run) => { run.open = open.includes(run.id.slice(4)); });
  boxes.forEach((_, index) => find(index, wanted.get(`find${index}`) || ""));
  tables.forEach((table, index) => {
    const text = wanted.get(`sort${index}`) || "";
    if (text === sorted(table)) return;
    const detail = { column: text ? Math.abs(Number(text)) : -1, down: text.startsWith("-") };
    if (detail.column < table.tHead.rows[0].cells.length) table.dispatchEvent(new CustomEvent("nnrun:sort", { detail }));
  });
  logs.forEach((button, index) => { if (pressed(button) !== wanted.has(`log${index}`)) button.click(); });
  reveal(target);
  write(target, true);
};
addEventListener("hashchange", () => {
  if (location.hash === current && keeps) return;
  const link = clicked && !location.hash.includes("?");
  clicked = false;
  if (!link && keeps) return void apply();
  // A link within the page leaves all else as it is.
  reveal(location.hash.slice(1));
  current = location.hash;
  write(location.hash.slice(1), true);
});
document.addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest("a[href]"), href = link && link.getAttribute("href");
  if (href && href.startsWith("#")) {
    clicked = location.hash !== href;
    if (!clicked) reveal(href.slice(1));
  } else if (event.isTrusted && event.target.closest && event.target.closest("button")) write("", false);
});
document.addEventListener("toggle", (event) => { if (runs.includes(event.target)) write("", false); }, true);
document.addEventListener("input", (event) => {
  if (event.isTrusted && boxes.includes(event.target)) write("", current.includes(`find${boxes.indexOf(event.target)}=`));
});
if (location.hash) apply();

// The section in view is marked in the navigation.
const bar = document.querySelector("nav.bar ul");
if (!bar) return;
const links = () => new Map(all("a", bar).map((link) => [link.getAttribute("href").slice(1), link]));
const seen = new IntersectionObserver((entries) => {
  const known = links();
  for (const { target, isIntersecting } of entries) {
    const link = known.get(target.id);
    if (!isIntersecting || !link) continue;
    known.forEach((other) => other.removeAttribute("aria-current"));
    link.setAttribute("aria-current", "true");
    bar.scrollTo({ left: link.offsetLeft - bar.clientWidth / 2 });
  }
}, { rootMargin: "-15% 0px -80% 0px" });
const watch = () => {
  seen.disconnect();
  links().forEach((_, id) => { const part = id !== "top" && document.getElementById(id); if (part) seen.observe(part); });
};
// The live page says which part of it is new.
document.addEventListener("nnrun:content", watch);
watch();
})();
