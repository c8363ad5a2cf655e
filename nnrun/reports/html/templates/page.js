"use strict";
// For all scripts of a page.
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, attributes = {}, ...content) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
};
(() => {
// Tables: a click on a heading sorts, words in the box filter; so they do for closed cards.
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
const sort = (table, rows, column, down) => {
  const missing = "–";
  const keyed = rows.map((row, place) => ({ row, place, key: column < 0 ? place : value(row, column) }));
  keyed.sort((a, b) => {
    if ((a.key === missing) !== (b.key === missing)) return a.key === missing ? 1 : -1;
    return (down ? -1 : 1) * compare(a.key, b.key) || a.place - b.place;
  });
  table.tBodies[0].append(...keyed.map((entry) => entry.row));
  all("thead th", table).forEach((head) => head.removeAttribute("aria-sort"));
  if (column >= 0) table.tHead.rows[0].cells[column].setAttribute("aria-sort", down ? "descending" : "ascending");
};
const filter = (items, title, text) => {
  const texts = new Map(items.map((item) => [item, text(item).toLowerCase()]));
  const box = make("input", { type: "search", placeholder: "filter: words, any order", "aria-label": `Filter ${title}` });
  const count = make("span", { role: "status" });
  box.addEventListener("input", () => {
    const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const item of items) {
      const fits = words.every((word) => texts.get(item).includes(word));
      item.classList.toggle("hide", !fits);
      shown += fits;
    }
    count.textContent = words.length ? `${shown || "none"} of ${items.length}` : "";
    count.classList.toggle("none", words.length > 0 && !shown);
  });
  return make("div", { class: "tools" }, box, count);
};
const enhance = (root) => {
  for (const table of all("table.sortable", root)) {
    const rows = [...table.tBodies[0].rows];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (head.tagName !== "TH") return;
      const button = make("button", { type: "button" }, ...head.childNodes);
      button.addEventListener("click", () => {
        sort(table, rows, column, head.getAttribute("aria-sort") === "ascending");
      });
      head.replaceChildren(button);
    });
    table.addEventListener("nnrun:sort", (event) => sort(table, rows, event.detail.column, event.detail.down));
    if (rows.length < 4) continue;
    table.closest(".scroll").before(filter(rows, table.caption.textContent, (row) => row.textContent));
  }
  for (const cards of all(".cards", root)) {
    const runs = [...cards.children];
    if (runs.length > 3) cards.before(filter(runs, "details of runs", (run) => run.firstElementChild.textContent));
  }
};
// The live page says which part of it is new.
document.addEventListener("nnrun:content", (event) => enhance(event.target));
enhance(document);
})();
