(() => {
// Legends: a click switches a series off and on, or keeps a grey one in colour; pointing at a name
// or reaching it by the keyboard shows its lines in all charts.
const legends = (root) => {
for (const plots of all(".plots", root)) {
  const series = (item) => all(`.s${item.dataset.s}`, plots);
  for (const item of all(".legend li", plots)) {
    const other = item.parentElement.classList.contains("others");
    const button = make("button", { type: "button", "aria-pressed": String(!other) }, ...item.childNodes);
    const pressed = () => button.getAttribute("aria-pressed") === "true";
    const light = (on) => series(item).forEach((one) => one.classList.toggle("lit", on || (other && pressed())));
    button.addEventListener("click", () => {
      button.setAttribute("aria-pressed", !pressed());
      if (!other) series(item).forEach((one) => one.classList.toggle("off", !pressed()));
    });
    for (const name of ["pointerenter", "focus"]) button.addEventListener(name, () => light(true));
    for (const name of ["pointerleave", "blur"]) button.addEventListener(name, () => light(false));
    item.append(button);
  }
  const logs = all(".drawing.log", plots);
  if (!logs.length) continue;
  const button = make("button", { type: "button", "aria-pressed": "false" }, "log scale");
  const show = (log) => {
    button.setAttribute("aria-pressed", log);
    for (const drawing of logs) {
      drawing.classList.toggle("hide", !log);
      drawing.previousElementSibling.classList.toggle("hide", log);
    }
  };
  button.addEventListener("click", () => show(button.getAttribute("aria-pressed") !== "true"));
  plots.querySelector(".figures").before(make("div", { class: "tools" }, button));
  show(false);
}
};

// The tip is beside what it explains, never on it: right or left of it, else below or above.
const tip = document.getElementById("tip");
const hide = () => { tip.hidden = true; all(".spot").forEach((mark) => mark.remove()); };
const show = (lines, around, x, y) => {
  tip.replaceChildren(...lines);
  tip.hidden = false;
  const [wide, high] = [tip.offsetWidth, tip.offsetHeight];
  const clamp = (value, most) => Math.max(4, Math.min(value, most - 4));
  const [across, down] = [clamp(x - wide / 2, innerWidth - wide), clamp(y - high / 2, innerHeight - high)];
  const places = [
    [around.right + 8, down], [around.left - wide - 8, down],
    [across, around.bottom + 4], [across, around.top - high - 4],
  ];
  const fits = ([left, top]) => left >= 4 && left + wide <= innerWidth - 4 && top >= 4 && top + high <= innerHeight - 4;
  const [left, top] = places.find(fits) || [across, around.top > innerHeight - around.bottom ? 4 : innerHeight - high - 4];
  tip.style.left = `${left}px`;
  tip.style.top = `${top}px`;
};
const texts = (row) => [...row.cells].map((cell) => cell.textContent);
const spot = (svg, x, y) => svg.insertAdjacentHTML("beforeend", `<circle class="spot" cx="${x}" cy="${y}" r="6"/>`);

// The points of the lines of a chart, and of a chart of rows.
const linePoints = (group) => all("path.line, path:not(.area)", group)
  .flatMap((path) => [...path.getAttribute("d").matchAll(/(-?[\d.]+) (-?[\d.]+)/g)].map((pair) => [Number(pair[1]), Number(pair[2])]))
  .concat(all("circle", group).map((dot) => [Number(dot.getAttribute("cx")), Number(dot.getAttribute("cy"))]));
const toSegment = ([x, y], [ax, ay], [bx, by]) => {
  const [dx, dy] = [bx - ax, by - ay], length = dx * dx + dy * dy;
  const share = length ? Math.max(0, Math.min(1, ((x - ax) * dx + (y - ay) * dy) / length)) : 0;
  return Math.hypot(ax + share * dx - x, ay + share * dy - y);
};
const toLine = (at, points) => points.length < 2
  ? Math.min(...points.map((point) => toSegment(at, point, point)))
  : Math.min(...points.slice(1).map((point, index) => toSegment(at, points[index], point)));
// The line that is pointed at, in this chart and those beside it.
const bring = (plot, near) => {
  for (const group of all("g.series", plot.closest(".plots"))) {
    const same = near && group.classList[1] === near.classList[1] && near.classList[1] !== "near";
    group.classList.toggle("near", group === near || Boolean(same));
  }
};
const nearest = (items, far) => items.reduce((best, item) => (far(item) < far(best) ? item : best));

// Rows of a table that have places in the drawing.
const placed = "tr[data-x],tr[data-y]";
const kinds = {
  // A map: the cell under the pointer, by the names of its row and column.
  cells(plot, [x, y]) {
    const table = plot.querySelector(".numbers table");
    const [left, top, wide, high] = table.dataset.cells.split(" ").map(Number);
    const [row, column] = [Math.floor((y - top) / high), Math.floor((x - left) / wide)];
    const line = table.tBodies[0].rows[row], head = table.tHead.rows[0].cells[column + 1];
    if (!line || !head || column < 0) return null;
    const [down, across] = table.tHead.rows[0].cells[0].textContent.split(" \\ ");
    const name = (what, value) => make("span", {}, what ? `${what} ${value}` : value);
    return [make("b", {}, line.cells[column + 1].textContent), name(down, line.cells[0].textContent), name(across || "", head.textContent)];
  },
  // Dots that are rows of the data: the nearest one.
  rows(plot, at, svg) {
    const dots = linePoints(svg.querySelector(".rows"));
    const place = nearest([...dots.keys()], (index) => Math.hypot(dots[index][0] - at[0], dots[index][1] - at[1]));
    const row = all(".numbers tbody tr", plot)[place];
    if (!row || Math.hypot(dots[place][0] - at[0], dots[place][1] - at[1]) > 30) return null;
    spot(svg, ...dots[place]);
    const names = all(".numbers thead th", plot).map((head) => head.textContent);
    return texts(row).map((text, index) => make(index ? "span" : "b", {}, `${names[index]} ${text}`));
  },
  // Dots that say themselves what they are.
  titled(plot, at, svg) {
    const far = (dot) => Math.hypot(Number(dot.getAttribute("cx")) - at[0], Number(dot.getAttribute("cy")) - at[1]);
    const dot = nearest(all("circle:not(.off)", svg), far);
    if (far(dot) > 20) return null;
    spot(svg, dot.getAttribute("cx"), dot.getAttribute("cy"));
    return dot.querySelector("title").textContent.split(" · ").map((text, index) => make(index ? "span" : "b", {}, text));
  },
  // Lines: the nearest one first, with the values of all that are in colour at this place.
  lines(plot, at, svg) {
    const groups = all("g.series:not(.off)", svg).filter((group) => linePoints(group).length);
    const near = groups.length ? nearest(groups, (group) => toLine(at, linePoints(group))) : null;
    const name = near && near.querySelector("title").textContent;
    bring(plot, near);
    const places = all(placed, plot);
    if (!places.length) return near && name.split(", ").map((text, index) => make(index ? "span" : "b", {}, text));
    const row = nearest(places, ({ dataset: { x, y } }) => Math.abs(x === undefined ? y - at[1] : x - at[0]));
    const names = all(".numbers thead th", plot).map((head) => head.textContent);
    const found = texts(row).slice(1).map((text, index) => ({ text, name: names[index + 1], first: names[index + 1] === name }));
    const grey = new Set(all("g.other:not(.lit)", svg).map((group) => group.querySelector("title").textContent));
    const off = new Set(all("g.series.off", svg).map((group) => group.querySelector("title").textContent));
    const shown = found.filter((one) => one.text !== "–" && (one.first || (!grey.has(one.name) && !off.has(one.name))));
    shown.sort((a, b) => b.first - a.first);
    if (near) {
      const [x, y] = nearest(linePoints(near), (point) => Math.abs(point[0] - Number(row.dataset.x)));
      spot(svg, x, y);
    }
    const title = make("b", {}, `${names[0]} ${texts(row)[0]}`);
    if (!near) return [title, ...found.map((one) => make("span", {}, `${one.name} ${one.text}`))];
    return [
      title,
      ...shown.slice(0, 8).map((one) => make("span", one.first ? { class: "near" } : {}, `${one.text}  ${one.name}`)),
    ];
  },
};
const kindOf = (plot, svg) => {
  if (plot.querySelector("table[data-cells]")) return kinds.cells;
  if (svg.querySelector(".rows")) return kinds.rows;
  if (svg.querySelector("circle > title")) return kinds.titled;
  return plot.querySelector(placed) || svg.querySelector("g.series") ? kinds.lines : null;
};
const tips = (root) => {
for (const plot of all(".plot", root)) {
  for (const svg of all(".drawing > svg", plot)) {
    const kind = kindOf(plot, svg);
    if (!kind) continue;
    // The browser's own tips would be on the lines that they name.
    all("title", svg).forEach((title) => title.parentElement.setAttribute("pointer-events", "none"));
    svg.addEventListener("pointermove", (event) => {
      const box = svg.getBoundingClientRect(), scale = svg.viewBox.baseVal.width / box.width;
      hide();
      const lines = kind(plot, [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale], svg);
      if (lines) show(lines, box, event.clientX, event.clientY);
    });
    svg.addEventListener("pointerleave", () => { hide(); bring(plot, null); });
  }
}
for (const strip of all("td .strip", root)) {
  strip.addEventListener("pointerenter", (event) => {
    const row = strip.closest("tr"), head = row.querySelector("th") || row.cells[0];
    const lines = strip.getAttribute("aria-label").split("; ").map((text) => make("span", {}, text));
    show([make("b", {}, head.textContent), ...lines], row.getBoundingClientRect(), event.clientX, event.clientY);
  });
  strip.addEventListener("pointerleave", hide);
}
};
addEventListener("scroll", hide, { passive: true });

// Tables and maps that are wider than their frame say so. What they say makes frames higher, so it
// waits for the next picture: a change of sizes while they are observed is an error of the page.
const wider = new ResizeObserver((entries) => requestAnimationFrame(() => {
  for (const { target } of entries) target.classList.toggle("more", target.scrollWidth > target.clientWidth + 1);
}));

const enhance = (root) => {
  legends(root);
  tips(root);
  all(".scroll, .drawing[tabindex]", root).forEach((frame) => wider.observe(frame));
};
// The live page says which part of it is new.
document.addEventListener("nnrun:content", (event) => enhance(event.target));
enhance(document);
})();
