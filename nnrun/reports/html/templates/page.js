(() => {
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, text, attributes = {}) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

// Tables: a click on a heading sorts, words in the box filter.
const value = (row, column) => {
  const cell = row.cells[column];
  if (cell.dataset.v !== undefined) return Number(cell.dataset.v);
  return cell.textContent.trim();
};
const compare = (a, b) => {
  const numbers = [typeof a === "number", typeof b === "number"];
  if (numbers[0] && numbers[1]) return a - b;
  if (numbers[0] !== numbers[1]) return numbers[0] ? -1 : 1;
  return a.localeCompare(b, "en", { numeric: true });
};
const sort = (table, column, down) => {
  const body = table.tBodies[0], missing = "–";
  const keyed = [...body.rows].map((row, place) => ({ row, place, key: value(row, column) }));
  keyed.sort((a, b) => {
    if ((a.key === missing) !== (b.key === missing)) return a.key === missing ? 1 : -1;
    return (down ? -1 : 1) * compare(a.key, b.key) || a.place - b.place;
  });
  body.append(...keyed.map((entry) => entry.row));
  all("thead th", table).forEach((head) => head.removeAttribute("aria-sort"));
  table.tHead.rows[0].cells[column].setAttribute("aria-sort", down ? "descending" : "ascending");
};
const enhance = (root) => {
for (const table of all("table.sortable", root)) {
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    if (head.tagName !== "TH") return;
    const button = make("button", "", { type: "button" });
    button.append(...head.childNodes);
    button.addEventListener("click", () => {
      sort(table, column, head.getAttribute("aria-sort") === "ascending");
    });
    head.replaceChildren(button);
  });
  const rows = [...table.tBodies[0].rows];
  if (rows.length < 4) continue;
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const title = table.caption.textContent;
  const box = make("input", "", { type: "search", placeholder: "filter: words, any order", "aria-label": `Filter ${title}` });
  const count = make("span", "", { role: "status" });
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const fits = words.every((word) => texts.get(row).includes(word));
      row.classList.toggle("hide", !fits);
      shown += fits;
    }
    count.textContent = words.length ? `${shown} of ${rows.length}` : "";
  });
  const tools = make("div", "", { class: "tools" });
  tools.append(box, count);
  table.closest(".scroll").before(tools);
}
};
// The live page says which part of it is new.
document.addEventListener("nnrun:content", (event) => enhance(event.target));
enhance(document);

// A link to something within closed details opens them.
const reveal = () => {
  const target = location.hash.length > 1 && document.getElementById(location.hash.slice(1));
  if (!target) return;
  for (let element = target; element; element = element.parentElement) {
    if (element.tagName === "DETAILS") element.open = true;
  }
  target.scrollIntoView();
};
addEventListener("hashchange", reveal);
document.addEventListener("click", (event) => {
  const link = event.target.closest && event.target.closest("a");
  if (link && location.hash === (link.getAttribute("href") || "")) reveal();
});
reveal();
})();
