"use strict";
// Draws the arrays of an update as tables, and marks the numbers that a chosen one came from.
(() => {
  const arrays = JSON.parse(document.getElementById("data").textContent);
  const panel = document.getElementById("panel");
  const cells = {}; // by array: its cells by their flat places
  const MOST_TERMS = 12;

  // Four digits; whole numbers as they are.
  function shown(v) {
    if (v === null) return "–";
    const size = Math.abs(v);
    if (Number.isInteger(v) && size < 1e6) return v.toLocaleString("en-US");
    if (size >= 1e7 || size < 1e-4) return v.toExponential(3);
    if (size >= 1000) return Math.round(v).toLocaleString("en-US");
    return String(v.toPrecision(4));
  }

  const product = (shape) => shape.reduce((a, b) => a * b, 1);

  function places(flat, shape) {
    const found = [];
    for (let k = shape.length - 1; k >= 0; k--) {
      found.unshift(flat % shape[k]);
      flat = Math.floor(flat / shape[k]);
    }
    return found;
  }

  const flatOf = (at, shape) => at.reduce((flat, i, k) => flat * shape[k] + i, 0);

  // The place among the numbers that the page has; -1 if it is left out.
  function kept(key, at) {
    const array = arrays[key];
    if (!array.axes) return flatOf(at, array.shape);
    const inner = at.map((i, k) => array.axes[k].indexOf(i));
    return inner.includes(-1) ? -1 : flatOf(inner, array.axes.map((axis) => axis.length));
  }

  function draw(holder) {
    const key = holder.dataset.array, array = arrays[key];
    const head = document.createElement("p");
    const name = document.createElement("b");
    name.textContent = array.title;
    head.append(name, array.size);
    const box = document.createElement("div");
    box.className = array.shape.length > 2 ? "box wide" : "box";
    box.tabIndex = 0;
    box.setAttribute("role", "group");
    box.setAttribute("aria-label", `${array.title}, ${array.size}`);
    cells[key] = new Map();
    const axes = array.axes || array.shape.map((n) => [...Array(n).keys()]);
    const inner = axes.slice(-2), outer = axes.slice(0, -2);
    const largest = Math.max(...array.data.map((v) => Math.abs(v || 0)), 1e-300);
    let place = 0;
    const stacks = outer.reduce((all, axis) => all.flatMap((at) => axis.map((i) => [...at, i])), [[]]);
    for (const at of stacks) {
      const table = document.createElement("table");
      if (stacks.length > 1) table.createCaption().textContent = `[${at.join(", ")}]`;
      const [rows, columns] = inner.length > 1 ? inner : [[0], inner[0] || [0]];
      const head = array.columns.length ? table.insertRow() : null;
      if (head) columns.forEach((column, c) => {
        if (c && column > columns[c - 1] + 1) gap(head, 1);
        named(head, "col", array.columns[column]);
      });
      rows.forEach((row, r) => {
        if (r && row > rows[r - 1] + 1) gap(table.insertRow(), columns.length + 1);
        const line = table.insertRow();
        columns.forEach((column, c) => {
          if (c && column > columns[c - 1] + 1) gap(line, 1);
          const cell = line.insertCell(), value = array.data[place];
          cell.textContent = shown(value);
          const index = inner.length > 1 ? [...at, row, column] : inner.length ? [column] : [];
          cell.dataset.at = index.join(",");
          if (value) {
            const tone = value > 0 ? "--plus" : "--minus";
            cell.style.background = `rgba(var(${tone}),${(0.3 * Math.abs(value)) / largest})`;
          }
          cells[key].set(place, cell);
          place += 1;
        });
        if (array.rows.length) named(line, "row", array.rows[row]);
      });
      box.append(table);
    }
    holder.append(head, box);
  }

  function named(line, scope, name) {
    line.append(Object.assign(document.createElement("th"), { scope, textContent: name }));
  }

  function gap(line, span) {
    const cell = line.insertCell();
    cell.className = "more";
    cell.colSpan = span;
    cell.textContent = "…";
  }

  // The indices that one step of a rule takes of an axis.
  function taken(step, at, length, other) {
    const [kind, axis, stride, shift, size] = step;
    if (kind === "is") return [at[axis]];
    if (kind === "window") {
      return [...Array(size).keys()].map((i) => at[axis] * stride - shift + i);
    }
    if (kind === "outputs") {
      return [...Array(length).keys()].filter((i) => {
        const first = i * stride - shift;
        return first <= at[axis] && at[axis] < first + size;
      });
    }
    if (kind === "kernel") {
      return [...Array(other).keys()].map((i) => at[axis] + shift - i * stride).filter((i) => 0 <= i && i < size);
    }
    if (kind === "strided") {
      return [...Array(other).keys()].map((i) => at[axis] - shift + i * stride);
    }
    return [...Array(length).keys()];
  }

  // The entries of a source, as places on each axis, in order; null where a window leaves it.
  function entries(source, at, flat, partner) {
    const shape = arrays[source.array].shape;
    const steps = source.steps || shape.map(() => ["all"]);
    if (steps.length && steps[0][0] === "flat") return [places(flat, shape)];
    const axes = steps.map((step, k) => taken(step, at, shape[k], partner && partner[k]));
    const inside = (index) => index.every((i, k) => 0 <= i && i < shape[k]);
    return axes
      .reduce((all, axis) => all.flatMap((index) => axis.map((i) => [...index, i])), [[]])
      .map((index) => (inside(index) ? index : null));
  }

  function clear() {
    document.querySelectorAll(".chosen,.source").forEach((cell) => cell.classList.remove("chosen", "source"));
    panel.hidden = true;
  }

  function choose(cell) {
    clear();
    const key = cell.closest("[data-array]").dataset.array, array = arrays[key];
    const at = cell.dataset.at === "" ? [] : cell.dataset.at.split(",").map(Number);
    const flat = flatOf(at, array.shape);
    cell.classList.add("chosen");
    const value = array.data[kept(key, at)];
    const text = [];
    const lists = array.from.map((source, k) => {
      const partner = array.from[1 - k];
      return entries(source, at, flat, partner && arrays[partner.array].shape);
    });
    // What is multiplied with a zero of the padding does not matter.
    const matters = (i) => !array.products || lists.every((list) => list[i]);
    array.from.forEach((source, k) => {
      const own = lists[k].filter((index, i) => index && matters(i));
      own.forEach((index) => {
        const place = kept(source.array, index);
        if (place >= 0) cells[source.array].get(place).classList.add("source");
      });
      const first = own.map((index) => kept(source.array, index)).find((place) => place >= 0);
      if (first !== undefined) reveal(cells[source.array].get(first), cell);
      const name = arrays[source.array].name;
      text.push(own.length === 1
        ? `${name}[${own[0].join(", ")}] = ${shown(at1(source.array, own[0]))}`
        : `${own.length.toLocaleString("en-US")} numbers of ${name}`);
    });
    const from = text.length ? `from ${text.join(", ")}` : "given";
    const lines = [`${array.name}[${at.join(", ")}] = ${value === null ? "–" : value}, ${from}`];
    if (array.products) lines.push(terms(array, lists, value));
    panel.querySelector("p").textContent = lines.join("\n");
    panel.hidden = false;
  }

  // Scrolls the box of a source to it; the page and the box of the chosen number stay.
  function reveal(source, chosen) {
    const box = source.closest(".box");
    if (box === chosen.closest(".box")) return;
    const inner = source.getBoundingClientRect(), outer = box.getBoundingClientRect();
    if (inner.top < outer.top || inner.bottom > outer.bottom) box.scrollTop += inner.top - outer.top - 30;
    if (inner.left < outer.left || inner.right > outer.right) box.scrollLeft += inner.left - outer.left - 30;
  }

  function at1(key, index) {
    const place = kept(key, index);
    return place < 0 ? null : arrays[key].data[place];
  }

  function terms(array, lists, value) {
    const [first, second] = array.from;
    const pairs = lists[0].map((a, i) => [a, lists[1][i]]).filter(([a, b]) => a && b);
    const numbers = pairs.map(([a, b]) => [at1(first.array, a), at1(second.array, b)]);
    const some = numbers.slice(0, MOST_TERMS).map(([a, b]) => `${shown(a)} · ${shown(b)}`);
    if (numbers.length > MOST_TERMS) some.push(`… (${numbers.length} products)`);
    return some.length ? `${some.join(" + ")} = ${shown(value)}` : "no product reaches it";
  }

  // Arrow keys move within an array, Enter chooses, Escape closes.
  function move(event) {
    const box = event.target.closest(".box");
    if (event.key === "Escape") { clear(); return; }
    if (!box || !event.key.startsWith("Arrow") && event.key !== "Enter") return;
    const all = [...box.querySelectorAll("td[data-at]")];
    let now = all.indexOf(document.activeElement);
    if (event.key === "Enter") { if (now >= 0) choose(all[now]); return; }
    event.preventDefault();
    const width = all.findIndex((cell, i) => i && cell.parentNode !== all[0].parentNode);
    const by = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -width, ArrowDown: width }[event.key];
    now = Math.max(0, Math.min(all.length - 1, now + by));
    all[now].tabIndex = -1;
    all[now].focus();
  }

  document.querySelectorAll("[data-array]").forEach(draw);
  document.addEventListener("click", (event) => {
    const cell = event.target.closest("td[data-at]");
    if (cell) choose(cell);
  });
  document.addEventListener("keydown", move);
  panel.querySelector("button").addEventListener("click", clear);
  document.getElementById("hint").hidden = false;
})();
