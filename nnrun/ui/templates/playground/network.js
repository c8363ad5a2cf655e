// The network of the playground: units as pictures in columns, their numbers, the large picture.
(() => {
"use strict";
const { all, make, colours, css, picture, points, edges, short } = window.nnrunPictures;
const $ = (name) => document.getElementById(`play-${name}`);
const net = $("net");
let look = colours(), form = null, frame = null, columns = [], chosen = null, pointed = null, seen = null;
let onResize = () => {};

// The network as columns: features, hidden layers, outputs.
const nameOf = (column, unit) => {
  if (column === 0) return form.features[unit];
  if (column <= form.layers.length) return `layer ${form.layers[column - 1].place}, unit ${unit}`;
  if (!form.classes.length) return form.target;
  return form.outputs > 1 ? form.classes[unit] : `probability of ${form.classes[1]}`;
};
const numbersOf = (column) => (column <= form.layers.length ? frame.layers[column - 1] : frame.output);
const button = (label, text, action) => {
  const found = make("button", { type: "button", "aria-label": label }, text);
  found.addEventListener("click", action);
  return found;
};
// Above the units of a layer: fewer or more of them, and its activation.
const layerTools = (index, units) => {
  const tools = make("div", { class: "width" });
  for (const [by, text, word] of [[-1, "−", "fewer"], [1, "+", "more"]]) {
    const one = button(`One unit ${word} in layer ${index}`, text, () => onResize(index, by));
    one.dataset.by = `${index} ${by}`;
    one.disabled = units + by < 1 || (by > 0 && units >= form.most_units);
    tools.append(one);
  }
  const choice = make("select", { "aria-label": `Activation of layer ${index}`, "data-layer": index });
  for (const name of Object.keys(globalThis.nnrunEngine.ACTIVATIONS)) choice.append(make("option", {}, name));
  choice.value = form.layers[index].activation;
  return make("div", { class: "layer-tools" }, tools, choice);
};
const unitBox = (column, unit) => {
  const side = form.axes.length === 1 ? 96 : 48;
  const canvas = make("canvas", { width: side, height: side });
  const box = button(nameOf(column, unit), "", () => {
    chosen = chosen && chosen.column === column && chosen.unit === unit ? null : { column, unit };
    pointed = null;
    draw();
  });
  box.className = "unit";
  box.setAttribute("aria-describedby", "play-unit");
  box.append(canvas);
  const point = (to) => () => { pointed = to; draw(); };
  box.addEventListener("pointerenter", point({ column, unit }));
  box.addEventListener("pointerleave", point(null));
  box.addEventListener("focus", point({ column, unit }));
  box.addEventListener("blur", point(null));
  return { box, canvas };
};
const columnOf = (title, below, column, count, total, tools) => {
  const units = make("div", { class: "units" });
  const boxes = Array.from({ length: count }, (_, unit) => {
    const found = unitBox(column, unit);
    const named = column === 0 || (column > form.layers.length && form.outputs > 1);
    const name = make("span", { class: "unit-name", "aria-hidden": "true" }, nameOf(column, unit));
    units.append(named ? make("div", { class: "named" }, found.box, name) : found.box);
    return found;
  });
  if (total > count) units.append(make("p", { class: "more-units" }, `and ${total - count} more`));
  const size = count > 10 ? "tiny" : count > 6 ? "small" : "";
  const head = make("h3", {}, title, make("span", {}, below));
  net.append(make("div", { class: `column ${size}` }, head, tools || make("div", { class: "layer-tools" }), units));
  return boxes;
};
const build = () => {
  all(".column", net).forEach((one) => one.remove());
  const shown = (units) => Math.min(units, form.most_units);
  const many = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;
  columns = [columnOf("Features", many(form.features.length, "number"), 0, form.features.length, form.features.length)];
  form.layers.forEach(({ place, kind, units }, index) => columns.push(
    columnOf(`Layer ${place}`, kind.split(",")[0], index + 1, shown(units), units, layerTools(index, units))));
  columns.push(columnOf("Output", form.classes.length ? "probability" : form.target, columns.length, shown(form.outputs), form.outputs));
  keys();
};
const keys = () => {
  const place = $("keys"), names = form.classes;
  const dot = (name, colour) => {
    const mark = make("i");
    mark.style.background = css(colour);
    return make("li", {}, mark, name);
  };
  if (form.axes.length === 1) place.replaceChildren(dot("rows", look.classes[0]), dot("network", look.classes[1]));
  else if (names.length) place.replaceChildren(...names.map((name, k) => dot(name, look.classes[k % 6])));
  else place.replaceChildren(make("li", {}, `${short(form.range[0])} to ${short(form.range[1])}`));
};

const valuesOf = ({ column, unit }) => {
  if (column === 0) return form.inputs[unit].picture;
  if (column > form.layers.length) return frame.outputs[unit];
  return frame.layers[column - 1].units[unit].picture;
};
// Outputs for two classes have the colours of these; all else, those of signs.
const lookOf = (column, unit) => {
  if (column <= form.layers.length || form.classes.length !== 2) return look;
  return { ...look, ramp: form.outputs > 1 && unit === 0 ? [...look.two].reverse() : look.two };
};
const draw = () => {
  if (!frame) return;
  const flat = form.axes.length === 1, at = pointed || chosen;
  columns.forEach((boxes, column) => boxes.forEach(({ box, canvas }, unit) => {
    picture(canvas, [valuesOf({ column, unit })], flat, lookOf(column, unit));
    box.setAttribute("aria-pressed", String(Boolean(chosen && chosen.column === column && chosen.unit === unit)));
  }));
  const links = columns.slice(1).map((boxes, index) => ({
    from: columns[index].map(({ box }) => box), to: boxes.map(({ box }) => box), weights: numbersOf(index + 1).weights,
  }));
  edges($("edges"), links, look, at && columns[at.column][at.unit] ? columns[at.column][at.unit].box : null);
  large(at, flat);
  card(at);
};
const titleOf = ({ column, unit }, whole) => {
  if (whole && form.classes.length > 2) return "Output: classes";
  if (whole && form.classes.length) return `Output: probability of ${form.classes[1]}`;
  const name = nameOf(column, unit);
  return column > form.layers.length ? `Output: ${name}` : name.replace(/^layer/, "Layer");
};
const large = (at, flat) => {
  const output = !at || at.column > form.layers.length && form.outputs === 1;
  // Of two classes, the probability of the second one is a colour between both.
  const whole = form.classes.length > 2 ? frame.outputs : frame.outputs.slice(-1);
  const found = output ? whole : [valuesOf(at)];
  const canvas = $("large");
  const decided = $("decided").checked && output && form.classes.length > 0;
  const shown = output ? lookOf(columns.length - 1, form.outputs - 1) : lookOf(at.column, at.unit);
  picture(canvas, found, flat, shown, true, decided, () => {
    if (flat && !output) return;
    points(canvas, form, look, form.points.train, false);
    if (form.points.test && ($("test").checked || form.is_own)) points(canvas, form, look, form.points.test, true);
  });
  const what = titleOf(output ? { column: columns.length - 1, unit: 0 } : at, output);
  const [left, right, bottom, top] = form.extent.map(short);
  const [x, y] = form.axes;
  const where = flat ? `${x} from ${left} to ${right}` : `${x} from ${left} to ${right}, ${y} from ${bottom} to ${top}`;
  $("shown").textContent = what;
  $("large").setAttribute("aria-label", `${what} over ${where}`);
};
const inputsOf = (column) => columns[column - 1].map((_, unit) => (column > 1 ? `unit ${unit}` : nameOf(0, unit)));
// The numbers of the unit that was pointed at last.
const card = (at) => {
  seen = at || seen;
  const place = $("unit");
  if (!seen || !columns[seen.column] || !columns[seen.column][seen.unit]) return;
  const rows = [], { column, unit } = seen;
  if (column === 0) rows.push(["from", form.inputs[unit].low], ["to", form.inputs[unit].high]);
  else {
    const found = numbersOf(column);
    const range = column <= form.layers.length ? found.units[unit] : null;
    if (range) rows.push(["least", range.low], ["largest", range.high]);
    if (found.biases) rows.push(["bias", found.biases[unit]]);
    const names = inputsOf(column);
    if (found.weights) found.weights[unit].forEach((weight, k) => rows.push([names[k] || `unit ${k}`, weight]));
  }
  const body = make("tbody", {}, ...rows.map(([name, value]) => make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, String(value)))));
  const kind = column && column <= form.layers.length ? ` (${form.layers[column - 1].kind})` : "";
  place.replaceChildren(
    make("h3", {}, `${titleOf(seen, false)}${kind}`),
    make("p", { class: "soft" }, column ? "Its range in the picture, bias, and the weights of its inputs:" : "The range of the picture:"),
    make("table", {}, body),
  );
};
// For readers who cannot see the pictures, and for those who want digits.
const tables = () => {
  if (!$("numbers").open || !frame) return;
  const made = columns.slice(1).map((boxes, index) => {
    const column = index + 1, found = numbersOf(column), hidden = column <= form.layers.length;
    const inputs = found.weights ? Array.from({ length: found.weights[0].length }, (_, k) => inputsOf(column)[k] || `unit ${k}`) : [];
    const head = ["unit", ...(hidden ? ["least", "largest"] : []), "bias", ...inputs];
    const rows = boxes.map((_, unit) => {
      const own = hidden ? [found.units[unit].low, found.units[unit].high] : [];
      const bias = found.biases ? found.biases[unit] : null, weights = found.weights ? found.weights[unit] : [];
      return [...own, bias, ...weights || []];
    });
    const title = hidden ? `Layer ${form.layers[index].place}: ${form.layers[index].kind}` : "Output";
    const table = make("table", {}, make("caption", {}, title),
      make("thead", {}, make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)))),
      make("tbody", {}, ...rows.map((row, unit) => make("tr", {}, make("th", { scope: "row" }, String(unit)),
        ...row.map((value) => make("td", {}, value === null || value === undefined ? "–" : String(value)))))));
    return make("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, table);
  });
  $("numbers").querySelector(".tables").replaceChildren(...made);
};

const arrange = (next, first) => {
  form = next;
  frame = first;
  net.dataset.depth = form.layers.length;
  $("large").classList.toggle("own", form.is_own);
  if (chosen && chosen.column > form.layers.length + 1) chosen = null;
  pointed = null;
  build();
};
const show = (found) => { frame = found; draw(); };
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
  look = colours();
  if (form) { keys(); draw(); }
});
addEventListener("resize", draw);
for (const name of ["test", "decided"]) $(name).addEventListener("change", draw);
$("numbers").addEventListener("toggle", tables);
window.nnrunNetwork = { arrange, show, tables, resized: (action) => { onResize = action; } };
})();
