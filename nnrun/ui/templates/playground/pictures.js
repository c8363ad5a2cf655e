// Draws a network: pictures of units, edges, points, curves. Values come as bytes, 127 is zero.
(() => {
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, attributes = {}, ...content) => {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...content);
  return element;
};
const hex = (text) => {
  const found = text.trim().replace("#", "");
  return [0, 2, 4].map((at) => parseInt(found.slice(at, at + 2), 16));
};
const mix = (a, b, share) => a.map((value, i) => value + (b[i] - value) * share);

// The colours of the page as it is now: a ramp of 255 from negative to positive values, as in reports,
// one from the first of two classes to the second, and a colour for each class.
const colours = () => {
  const style = getComputedStyle(document.getElementById("play"));
  const of = (name) => style.getPropertyValue(name);
  const [neg, mid, pos] = [of("--neg"), of("--mid"), of("--pos")].map(hex);
  const classes = [0, 1, 2, 3, 4, 5].map((i) => hex(of(`--c${i}`)));
  // Pictures are paler than points, which have to be seen on them.
  const between = (low, high) => Array.from({ length: 255 }, (_, i) => (
    i < 127 ? mix(mid, low, PALE * (127 - i) / 127) : mix(mid, high, PALE * (i - 127) / 127)));
  return {
    ramp: between(neg, pos), two: between(classes[0], classes[1]), classes, neg, mid, pos, ink: of("--ink"), soft: of("--soft"), paper: of("--paper"), rule: of("--rule"),
  };
};
const PALE = 0.72;
const css = (colour) => `rgb(${colour.map(Math.round).join()})`;

// Bilinear values between those of a coarse grid.
const finer = (values, times) => {
  const side = Math.sqrt(values.length), size = (side - 1) * times + 1;
  const found = new Float32Array(size * size);
  for (let y = 0; y < size; y += 1) {
    const top = Math.min(side - 2, Math.floor(y / times)), v = y / times - top;
    for (let x = 0; x < size; x += 1) {
      const left = Math.min(side - 2, Math.floor(x / times)), u = x / times - left, at = top * side + left;
      found[y * size + x] = (1 - v) * ((1 - u) * values[at] + u * values[at + 1])
        + v * ((1 - u) * values[at + side] + u * values[at + side + 1]);
    }
  }
  return found;
};

const largestOf = (values, at) => {
  let best = 0;
  for (let k = 1; k < values.length; k += 1) if (values[k][at] > values[best][at]) best = k;
  return best;
};
// One colour for a point of a picture: of its value, or of its classes by their probabilities.
const colourOf = (all, at, look, decided) => {
  if (all.length === 1) {
    const value = all[0][at];
    return look.ramp[decided ? (value < 127 ? 40 : 214) : Math.round(value)];
  }
  if (decided) return mix(look.mid, look.classes[largestOf(all, at) % 6], PALE);
  let found = look.mid;
  const rest = 1 / all.length;
  all.forEach((values, k) => {
    const share = Math.max(0, (values[at] / 254 - rest) / (1 - rest));
    found = mix(found, look.classes[k % 6], PALE * share);
  });
  return found;
};
const plane = (canvas, all, look, decided = false) => {
  const side = Math.sqrt(all[0].length), image = new ImageData(side, side);
  for (let at = 0; at < side * side; at += 1) {
    const colour = colourOf(all, at, look, decided);
    image.data.set([colour[0], colour[1], colour[2], 255], 4 * at);
  }
  const box = document.createElement("canvas");
  box.width = box.height = side;
  box.getContext("2d").putImageData(image, 0, 0);
  const pen = canvas.getContext("2d");
  pen.imageSmoothingEnabled = true;
  pen.drawImage(box, 0, 0, canvas.width, canvas.height);
};
// A function of one feature, over what `behind` draws.
const line = (canvas, values, look, width, behind) => {
  const pen = canvas.getContext("2d"), { width: w, height: h } = canvas;
  pen.fillStyle = css(look.mid);
  pen.fillRect(0, 0, w, h);
  pen.strokeStyle = look.rule;
  pen.lineWidth = 1;
  pen.beginPath();
  pen.moveTo(0, h / 2);
  pen.lineTo(w, h / 2);
  pen.stroke();
  behind();
  pen.strokeStyle = css(look.classes[1]);
  pen.lineWidth = width;
  pen.beginPath();
  values.forEach((value, i) => pen.lineTo((i / (values.length - 1)) * w, h - (value / 254) * h));
  pen.stroke();
};
const picture = (canvas, all, flat, look, large = false, decided = false, marks = () => {}) => {
  if (flat) {
    line(canvas, all[0], look, large ? 4 : 3, marks);
    return;
  }
  plane(canvas, large ? all.map((values) => finer(values, 3)) : all, look, decided);
  marks();
};

const points = (canvas, form, look, rows, held) => {
  const pen = canvas.getContext("2d"), [left, right, bottom, top] = form.extent;
  const flat = form.axes.length === 1, [low, high] = form.range;
  const size = canvas.width / (flat || rows.length > 500 ? 150 : 110);
  for (const row of rows) {
    const last = row[row.length - 1];
    const x = ((row[0] - left) / (right - left)) * canvas.width;
    const share = flat ? (last - low) / (high - low) : (row[1] - bottom) / (top - bottom);
    const ramp = Math.round(254 * Math.min(1, Math.max(0, (last - low) / (high - low))));
    const colour = flat ? look.classes[0] : form.classes.length ? look.classes[last % 6] : look.ramp[ramp];
    pen.beginPath();
    pen.arc(x, (1 - share) * canvas.height, size, 0, 2 * Math.PI);
    pen.fillStyle = css(colour);
    pen.fill();
    pen.lineWidth = size / 3;
    pen.strokeStyle = held ? look.ink : look.paper;
    pen.stroke();
  }
};

// Edges from unit to unit: the colour shows the sign of a weight, the width its size.
const edges = (canvas, layers, look, marked) => {
  const box = canvas.parentNode.getBoundingClientRect(), scale = window.devicePixelRatio || 1;
  canvas.width = Math.round(box.width * scale);
  canvas.height = Math.round(box.height * scale);
  const pen = canvas.getContext("2d");
  pen.scale(scale, scale);
  const place = (element) => {
    const found = element.getBoundingClientRect();
    return [found.left - box.left, found.right - box.left, (found.top + found.bottom) / 2 - box.top];
  };
  for (const { from, to, weights } of layers) {
    if (!weights) continue;
    const begins = from.map(place), ends = to.map(place);
    ends.forEach(([end, , below], k) => begins.forEach(([, start, above], j) => {
      const weight = weights[k] && weights[k][j];
      if (!Number.isFinite(weight)) return;
      pen.beginPath();
      pen.moveTo(start, above);
      const middle = (start + end) / 2;
      pen.bezierCurveTo(middle, above, middle, below, end, below);
      pen.lineWidth = Math.min(9, 0.4 + 1.7 * Math.abs(weight));
      pen.strokeStyle = css(weight < 0 ? look.neg : look.pos);
      pen.globalAlpha = !marked ? 0.75 : to[k] === marked || from[j] === marked ? 1 : 0.15;
      pen.stroke();
    }));
  }
};

const svg = (name, attributes, text = "") => {
  const found = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) found.setAttribute(key, value);
  found.textContent = text;
  return found;
};
const short = (value) => {
  if (value === null || value === undefined) return "–";
  const size = Math.abs(value);
  if (size >= 1e7) return Number(value.toPrecision(3)).toExponential();
  const found = Number(value.toPrecision(4));
  return size >= 1000 ? found.toLocaleString("en") : String(found);
};
// Losses from the first picture on; `curve` has [iteration, train, held out or null].
const losses = (place, curve) => {
  const known = curve.flatMap(([, ...all]) => all).filter((value) => Number.isFinite(value));
  const most = Math.max(...known, 1e-12), last = Math.max(1, curve.length ? curve[curve.length - 1][0] : 1);
  const parts = [svg("path", { class: "axis", d: "M40 8V130H296" })];
  [["held", 2], ["train", 1]].forEach(([name, column]) => {
    const rows = curve.filter((row) => Number.isFinite(row[column]));
    const at = rows.map((row) => `${(40 + 254 * row[0] / last).toFixed(1)} ${(130 - 120 * row[column] / most).toFixed(1)}`);
    if (at.length) parts.push(svg("path", { class: name, d: `M${at.join("L")}` }));
  });
  parts.push(
    svg("text", { x: 36, y: 14, "text-anchor": "end" }, most < 1e5 ? short(Number(most.toPrecision(2)))
      : most.toExponential(most < 1e10 ? 1 : 0).replace("e+", "e")), // its place has six digits
    svg("text", { x: 36, y: 133, "text-anchor": "end" }, "0"),
    svg("text", { x: 40, y: 146 }, "0"),
    svg("text", { x: 296, y: 146, "text-anchor": "end" }, last.toLocaleString("en")),
    svg("text", { x: 168, y: 146, "text-anchor": "middle" }, "iteration"),
  );
  place.replaceChildren(...parts);
};

window.nnrunPictures = { all, make, colours, css, picture, points, edges, losses, short };
})();
