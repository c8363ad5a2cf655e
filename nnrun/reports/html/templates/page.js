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
for (const table of all("table.sortable")) {
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

// Curves: the legend switches series on and off, a button goes from linear to logarithmic.
for (const plots of all(".plots")) {
  for (const item of all(".legend li", plots)) {
    const button = make("button", "", { type: "button", "aria-pressed": "true" });
    button.append(...item.childNodes);
    button.addEventListener("click", () => {
      const on = button.getAttribute("aria-pressed") !== "true";
      button.setAttribute("aria-pressed", on);
      all(`.s${item.dataset.s}`, plots).forEach((series) => series.classList.toggle("off", !on));
    });
    item.append(button);
  }
  const logs = all(".plot.log", plots);
  if (!logs.length) continue;
  const button = make("button", "log scale", { type: "button", "aria-pressed": "false" });
  const show = (log) => {
    button.setAttribute("aria-pressed", log);
    logs.forEach((plot) => plot.classList.toggle("hide", !log));
    all(".plot.has-log", plots).forEach((plot) => plot.classList.toggle("hide", log));
  };
  button.addEventListener("click", () => show(button.getAttribute("aria-pressed") !== "true"));
  const tools = make("div", "", { class: "tools" });
  tools.append(button);
  plots.querySelector(".figures").before(tools);
  show(false);
}

// Hovering: the values of the nearest place, from the table of numbers.
const tip = document.getElementById("tip");
const hide = () => { tip.hidden = true; };
for (const plot of all(".plot")) {
  const rows = all("tr[data-x]", plot);
  const chart = plot.querySelector(".drawing svg");
  if (!rows.length || !chart) continue;
  const names = all("thead th", plot).map((head) => head.textContent);
  chart.addEventListener("pointermove", (event) => {
    const box = chart.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * chart.viewBox.baseVal.width;
    const far = (row) => Math.abs(Number(row.dataset.x) - x);
    const row = rows.reduce((best, next) => (far(next) < far(best) ? next : best));
    const cells = [...row.cells].map((cell) => cell.textContent);
    tip.replaceChildren(make("b", `${names[0]} ${cells[0]}`), ...cells.slice(1).map((text, index) => make("span", `${text}  ${names[index + 1]}`)));
    tip.hidden = false;
    const left = Math.min(event.clientX + 14, innerWidth - tip.offsetWidth - 6);
    const top = Math.min(event.clientY + 14, innerHeight - tip.offsetHeight - 6);
    tip.style.left = `${Math.max(4, left)}px`;
    tip.style.top = `${Math.max(4, top)}px`;
  });
  chart.addEventListener("pointerleave", hide);
}
addEventListener("scroll", hide, { passive: true });

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
