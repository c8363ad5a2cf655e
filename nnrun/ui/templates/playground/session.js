// A network in training whose settings can change on the way: what the page shows of it, and its config.
(() => {
"use strict";
const { Generator, DATA, ACTIVATIONS, LOSSES, OPTIMIZERS, VECTORS, Training, split } = globalThis.nnrunEngine;
const MOST = { rows: 2000, layers: 6, units: 16, points: 500 };
const SIDE = 48, LINE = 121;  // points of the picture of an output, and of a curve; units have half as many
const OWN = "own points";

// A setting that cannot be used, with what to do.
class Wrong extends Error {}

// What the network takes of a point; in planes of width 2, the sine has one period.
const FEATURES = {
  x1: { label: "x1", column: "x1", of: ([a]) => a },
  x2: { label: "x2", column: "x2", of: ([, b]) => b },
  x1x1: { label: "x1²", column: "x1_squared", of: ([a]) => a * a },
  x2x2: { label: "x2²", column: "x2_squared", of: ([, b]) => b * b },
  x1x2: { label: "x1·x2", column: "x1_x2", of: ([a, b]) => a * b },
  sinx1: { label: "sin πx1", column: "sin_x1", of: ([a]) => Math.sin(Math.PI * a) },
  sinx2: { label: "sin πx2", column: "sin_x2", of: ([, b]) => Math.sin(Math.PI * b) },
};
const ON_A_LINE = {
  x1: { label: "x", column: "x", of: ([a]) => a },
  x1x1: { label: "x²", column: "x_squared", of: ([a]) => a * a },
  sinx1: { label: "sin x", column: "sin_x", of: ([a]) => Math.sin(a) },
};
const featuresOf = (data) => (data === "sine" ? ON_A_LINE : FEATURES);
const axesOf = (data) => (data === "sine" ? ["x1"] : ["x1", "x2"]);
const isPlain = ({ data, features }) => data !== OWN && String(features) === String(axesOf(data));

// Settings: their names in sentences, what they begin with, and what is wrong with a value.
const whole = (least, most = Number.MAX_SAFE_INTEGER) => (value) => (
  Number.isInteger(value) && value >= least && value <= most ? "" : most < 1e9 ? `a whole number from ${least} to ${most.toLocaleString("en")} is needed` : `a whole number from ${least} on is needed`);
const number = (fits, words) => (value) => (Number.isFinite(value) && fits(value) ? "" : `${words} is needed`);
const oneOf = (names) => (value) => (names.includes(value) ? "" : `choose one of ${names.join(", ")}`);
const each = (check, words) => (values) => (Array.isArray(values) && values.every((value) => !check(value)) ? "" : words);
const SETTINGS = {
  rows: { words: "rows", value: 400, check: whole(4, MOST.rows) },
  noise: { words: "noise", check: number((v) => v >= 0 && v <= 100, "a number from 0 to 100") },
  data_seed: { words: "seed of the data", value: 0, check: whole(0) },
  test_size: { words: "test share", value: 0.5, check: number((v) => v >= 0 && (v < 1 || Number.isInteger(v)), "a share below 1 or a number of rows") },
  rate: { words: "learning rate", value: 0.1, check: number((v) => v > 0, "a number above 0") },
  batch_size: { words: "batch size", value: 10, check: whole(1) },
  weight_decay: { words: "weight decay", value: 0, check: number((v) => v >= 0, "a number from 0 on") },
  seed: { words: "seed", value: 42, check: whole(0) },
  layers: { words: "widths", value: [4, 3], check: (widths) => (!Array.isArray(widths) || widths.length > MOST.layers
    ? `up to ${MOST.layers} hidden layers are possible` : each(whole(1, MOST.units), `each layer needs 1 to ${MOST.units} units`)(widths)) },
  activation: { words: "activation", value: ["tanh"], check: each(oneOf(Object.keys(ACTIVATIONS)), `choose of ${Object.keys(ACTIVATIONS).join(", ")}`) },
  dropout: { words: "dropout", value: 0, check: number((v) => v >= 0 && v < 1, "a share below 1") },
  features: { words: "features", check: (names, data) => each(oneOf(Object.keys(featuresOf(data))), `choose of ${Object.keys(featuresOf(data)).join(", ")}`)(names)
    || (names.length ? "" : "the network needs one or more") },
  optimizer: { words: "optimizer", value: "sgd", check: oneOf(Object.keys(OPTIMIZERS)) },
  points: { words: "points", value: [], check: (rows) => (rows.length > MOST.points ? `there can be ${MOST.points}`
    : each((row) => !(row.length === 3 && row.every(Number.isFinite) && [0, 1].includes(row[2])), "each line is x1,x2,A or x1,x2,B")(rows)) },
};
const WITHOUT = { [OWN]: ["rows", "noise", "data_seed"] };
const checked = (data, edits) => {
  const known = { ...DATA, [OWN]: {} };
  if (!(data in known)) throw new Wrong(`Set: there is no such data set here; there are ${Object.keys(known).join(", ")}.`);
  const values = { data };
  for (const [name, { words, value, check }] of Object.entries(SETTINGS)) {
    const first = name === "test_size" && data === OWN ? 0 : name === "noise" ? DATA[data] && DATA[data].noise : name === "features" ? axesOf(data) : value;
    values[name] = name in edits ? edits[name] : first;
    const fault = (WITHOUT[data] || []).includes(name) ? "" : check(values[name], data);
    if (fault) throw new Wrong(`${words[0].toUpperCase()}${words.slice(1)}: ${fault}.`);
  }
  values.activation = values.layers.map((_, at) => values.activation[Math.min(at, values.activation.length - 1)] || "tanh");
  values.features = Object.keys(featuresOf(data)).filter((name) => values.features.includes(name));
  return values;
};
const dataOf = (values) => {
  const { data, points, rows, noise, test_size: size, seed } = values;
  const drawn = data === OWN ? { x: points.map(([a, b]) => [a, b]), y: points.map((row) => row[2]) }
    : DATA[data].draw(rows, noise, new Generator(values.data_seed));
  const functions = values.features.map((name) => featuresOf(data)[name].of);
  const inputs = drawn.x.map((row) => functions.map((of) => of(row)));
  const places = drawn.y.length < 4 ? { train: drawn.y.map((_, at) => at), test: [] } : split(drawn.y.length, size, seed);
  if (drawn.y.length && !places.train.length) throw new Wrong(`Test share: ${size} of ${drawn.y.length} rows leave none to train on.`);
  const part = (rows_) => ({ x: rows_.map((row) => inputs[row]), y: rows_.map((row) => drawn.y[row]), raw: rows_.map((row) => drawn.x[row]) });
  return { drawn, inputs, train: part(places.train), test: part(places.test) };
};
const planOf = (values) => {
  const { data, layers, activation, features, dropout, seed, rate, optimizer } = values;
  const classes = data === OWN ? 2 : DATA[data].classes.length;
  return {
    inputs: features.length, layers: layers.map((units, at) => ({ units, activation: activation[at] })),
    outputs: classes > 2 ? classes : 1, loss: classes > 2 ? "cross_entropy" : classes ? "binary_cross_entropy" : "mean_squared",
    dropout, seed, rate, optimizer, batch_size: values.batch_size, weight_decay: values.weight_decay,
  };
};
const shown = (value) => (Array.isArray(value) ? value.join(", ") || "none" : typeof value === "number" && value >= 1000 ? value.toLocaleString("en") : String(value));
const said = (name, value) => (name === "points" ? `${value.length} points` : `${SETTINGS[name].words} ${shown(value)}`);

// Training goes on with another network; weights, and what the optimizer knows of them, stay in layers of
// the same shapes. Hidden layers are counted from the input. Returns the layers with fresh weights.
const carry = (old, next) => {
  const fresh = [], last = next.layers.length - 1, lastBefore = old.layers.length - 1;
  next.layers.forEach((layer, at) => {
    const before = at === last ? old.layers[lastBefore] : at < lastBefore ? old.layers[at] : null;
    if (!before || before.inputs !== layer.inputs || before.units !== layer.units) {
      fresh.push(at === last ? "the output layer" : `layer ${at}`);
      return;
    }
    next.theta.set(old.theta.subarray(before.weight, before.end), layer.weight);
    if (old.plan.optimizer !== next.plan.optimizer) return;
    for (const name of VECTORS[next.plan.optimizer]) next.memory[name].set(old.memory[name].subarray(before.weight, before.end), layer.weight);
  });
  for (const name of ["iteration", "epoch", "order", "drops"]) next[name] = old[name];
  next.memory.steps = old.memory.steps;
  const same = old.rows.y.length === next.rows.y.length && old.plan.batch_size === next.plan.batch_size;
  if (same) [next.block, next.used] = [old.block, old.used];
  return fresh;
};
const freshWords = (fresh) => (!fresh.length ? "All weights stay."
  : `There are fresh weights in ${[fresh.slice(0, -1).join(", "), fresh[fresh.length - 1]].filter(Boolean).join(" and ")}.`);

// A moment of training to go back to.
const moment = (training) => {
  const { theta, memory, order, drops, block, used, iteration, epoch } = training;
  const vectors = Object.fromEntries(Object.entries(memory).map(([name, value]) => [name, value.slice ? value.slice() : value]));
  return { theta: theta.slice(), memory: vectors, order: { ...order }, drops: { ...drops }, plain: { block, used, iteration, epoch } };
};
const goTo = (training, { theta, memory, order, drops, plain }) => {
  training.theta.set(theta);
  for (const [name, value] of Object.entries(memory)) training.memory[name] = value.slice ? value.slice() : value;
  Object.assign(training.order, order);
  Object.assign(training.drops, drops);
  Object.assign(training, plain);
};
const WORSE = 100;
const isSound = (training) => training.theta.every(Number.isFinite) && Number.isFinite(training.evaluate(training.train).loss);

class Session {
  constructor(data, edits) {
    this.data = data;
    this.edits = { ...edits };
    this.begin(checked(data, this.edits));
  }

  begin(values, next = null) {
    this.values = values;
    this.set = next ? next.set : dataOf(values);
    this.training = next ? next.training : this.made(values, this.set);
    this.changes = [];
    this.start();
  }

  made(values, set) {
    const training = new Training(planOf(values), set.train);
    training.train = set.train;
    return training;
  }

  start() {
    this.trouble = "";
    this.warned = false;
    this.began = this.losses().train_loss;
    this.good = moment(this.training);
  }

  reset() { this.begin(this.values); }

  // Continue with other settings; another seed starts over. Returns what has become of the weights.
  change(edits) {
    const wanted = { ...this.edits, ...edits }, values = checked(this.data, wanted), before = this.values;
    const set = dataOf(values), old = this.training, training = this.made(values, set);
    const changed = Object.keys(SETTINGS).filter((name) => JSON.stringify(values[name]) !== JSON.stringify(before[name]));
    this.edits = wanted;
    if (old.iteration === 0 || changed.includes("seed")) {
      this.begin(values, { set, training });
      return changed.length ? `Training begins with ${changed.map((name) => said(name, values[name])).join("; ")}.` : "";
    }
    const fresh = carry(old, training), at = `iteration ${old.iteration.toLocaleString("en")}`;
    Object.assign(this, { values, set, training });
    for (const name of changed) {
      const was = name === "points" ? before.points.length : shown(before[name]), now = name === "points" ? values.points.length : shown(values[name]);
      this.changes.push(`${at}: ${SETTINGS[name].words} ${was} -> ${now}`);
    }
    this.start();
    return changed.length ? `From ${at} on: ${changed.map((name) => said(name, values[name])).join("; ")}. ${freshWords(fresh)}` : "";
  }

  // Make so many updates, or as many as fit into this time.
  advance(updates, ms = Infinity) {
    const { training, set } = this, end = performance.now() + ms;
    if (this.data === OWN && (set.drawn.y.length < 4 || new Set(set.drawn.y).size < 2)) {
      throw new Wrong("Draw four points or more, of both classes: click on the large picture.");
    }
    for (let made = 0; made < updates && (made % 8 || made === 0 || performance.now() < end); made += 1) training.update();
    this.judge();
  }

  judge() {
    const { training } = this, { train_loss: loss } = this.losses();
    this.trouble = "";
    if (Number.isFinite(loss) && training.theta.every(Number.isFinite)) {
      this.good = moment(training);
      if (this.warned || training.plan.loss !== "mean_squared" || loss <= WORSE * this.began) return;
      this.warned = true;  // said once: the reader may want to see how it goes on
      this.trouble = `The loss is more than ${WORSE} times what it was at the start: a run that ends here counts as diverged. Lower the learning rate, or reset.`;
      return;
    }
    goTo(training, this.good);
    let before = this.good;
    for (training.update(); isSound(training); training.update()) before = moment(training);
    const layer = training.layers.findIndex(({ weight, end }) => !training.theta.subarray(weight, end).every(Number.isFinite));
    const where = layer < 0 ? "in the loss" : layer === training.layers.length - 1 ? "in the output layer" : `in layer ${layer}`;
    this.trouble = `Training diverged at iteration ${training.iteration.toLocaleString("en")}, first ${where}: numbers are no longer finite. `
      + `The network is back at iteration ${before.plain.iteration.toLocaleString("en")}; lower the learning rate, or reset.`;
    goTo(training, before);
  }

  losses() {
    const { train, test } = this.set, found = {}, isClass = this.training.plan.loss !== "mean_squared";
    for (const [name, part] of [["train", train], ["test", test]]) {
      if (!part.y.length) continue;
      const { loss, accuracy } = this.training.evaluate(part);
      found[`${name}_loss`] = loss;
      if (isClass) found[`${name}_accuracy`] = accuracy;
    }
    return found;
  }

  // What stays as long as no setting changes.
  form() {
    const { values, set, training, data } = this, parts = [set.train, set.test].filter(({ y }) => y.length);
    const axes = axesOf(data), raw = parts.flatMap((part) => part.raw), y = parts.flatMap((part) => part.y);
    const classes = data === OWN ? ["A", "B"] : DATA[data].classes, flat = axes.length === 1;
    this.extent = axes.flatMap((_, axis) => {
      if (data === OWN) return [-1, 1];
      const all = raw.map((row) => row[axis]), low = Math.min(...all), high = Math.max(...all), room = high > low ? 0.08 * (high - low) : 1;
      return [low - room, high + room];
    });
    const ends = classes.length ? [0, 1] : [Math.min(...y), Math.max(...y)], room = flat ? 0.1 * (ends[1] - ends[0]) : 0;
    this.range = [ends[0] - room, ends[1] + room];
    this.grid();
    const described = ({ raw: rows, y: of }) => rows.map((row, at) => [...row, of[at]]);
    return {
      title: data, axes: axes.map((name) => featuresOf(data)[name].label), features: values.features.map((name) => featuresOf(data)[name].label), inputs: this.inputs,
      target: flat ? "y" : "class", classes, extent: this.extent, range: this.range, outputs: training.plan.outputs, is_own: data === OWN,
      layers: values.layers.map((units, place) => ({ place, kind: `dense, ${values.activation[place]}`, activation: values.activation[place], units })),
      points: { train: described(set.train), ...(set.test.y.length ? { test: described(set.test) } : {}) },
      rows: { train: set.train.y.length, ...(set.test.y.length ? { test: set.test.y.length } : {}) },
      parameters: training.theta.length, values, most_units: MOST.units,
      fixed: Object.fromEntries((WITHOUT[data] || []).map((name) => [name, "these points are yours"])),
      choices: Object.entries(featuresOf(data)).map(([name, { label }]) => [name, label]),
    };
  }

  // The inputs of the network over the picture, the top row first, and their own pictures.
  grid() {
    const { extent } = this, [left, right, bottom, top] = extent, flat = extent.length === 2, side = flat ? LINE : SIDE;
    const along = (low, high, at) => low + ((high - low) * at) / (side - 1), points = [];
    for (let row = 0; row < (flat ? 1 : side); row += 1) {
      for (let at = 0; at < side; at += 1) points.push(flat ? [along(left, right, at)] : [along(left, right, at), along(top, bottom, row)]);
    }
    this.flat = flat;
    this.side = side;
    const all = this.values.features.map((name) => points.map(featuresOf(this.data)[name].of));
    this.inputs = all.map((values) => {
      const low = Math.min(...values), high = Math.max(...values);
      return { low, high, picture: Uint8Array.from(values, (value) => (254 * (value - low)) / (high - low || 1)) };
    });
    this.over = Float64Array.from(points.flatMap((_, at) => all.map((values) => values[at])));
  }

  // What changes with every update: losses, pictures (bytes, 127 is zero) and weights.
  frame() {
    const { training, side, flat } = this, rows = this.over.length / training.plan.inputs;
    const parts = training.evaluated(this.over, rows), [low, high] = this.range, middle = (low + high) / 2, half = (high - low) / 2 || 1;
    const bytes = (value) => (Number.isFinite(value) ? Math.round(127 + 127 * Math.max(-1, Math.min(1, value))) : 127);
    const step = flat ? 1 : 2, size = flat ? LINE : side / step;
    const column = (y, units, unit) => Float64Array.from({ length: rows }, (_, at) => y[at * units + unit]);
    const numbers = ({ inputs, units, weight, bias }) => ({
      weights: Array.from({ length: units }, (_, k) => Array.from({ length: inputs }, (__, j) => training.theta[weight + j * units + k])),
      biases: [...training.theta.subarray(bias, bias + units)],
    });
    const layers = training.layers.map((layer, at) => ({ ...numbers(layer), columns: Array.from({ length: layer.units }, (_, unit) => column(parts[at].y, layer.units, unit)) }));
    const output = layers.pop();
    const unit = (values) => {
      let [least, most] = [Infinity, -Infinity];
      for (const value of values) { least = Math.min(least, value); most = Math.max(most, value); }
      const end = Math.max(Math.abs(least), Math.abs(most)) || 1;
      const coarse = Uint8Array.from({ length: flat ? size : size * size }, (_, at) => bytes(values[flat ? at : Math.floor(at / size) * step * side + (at % size) * step] / end));
      return { low: least, high: most, picture: coarse };
    };
    return {
      iteration: training.iteration, epoch: training.epoch, losses: this.losses(), trouble: this.trouble, output,
      outputs: output.columns.map((values) => Uint8Array.from(values, (value) => bytes((value - middle) / half))),
      layers: layers.map(({ columns, ...rest }) => ({ ...rest, units: columns.map(unit) })),
    };
  }

  // The rows as a table, where no config says how to compute them.
  table() {
    if (isPlain(this.values)) return "";
    const { features, data } = this.values, { inputs, drawn } = this.set, target = data === "sine" ? "y" : "class";
    const head = [...features.map((name) => featuresOf(data)[name].column), target];
    return `${[head, ...inputs.map((row, at) => [...row, drawn.y[at]])].map((row) => row.join(",")).join("\n")}\n`;
  }

  // YAML that trains the network as far as the page has; comments say if it had other settings.
  config() {
    const { values, training } = this, { plan } = training, name = values.data.replace(" ", "_"), classes = plan.loss !== "mean_squared";
    const yaml = (value) => String(value).replace(/^(-?\d+)e/, "$1.0e"), real = (value) => (Number.isInteger(value) ? `${yaml(value)}${String(value).includes("e") ? "" : ".0"}` : yaml(value));
    const size = Number.isInteger(values.test_size) ? values.test_size : yaml(values.test_size);
    const hidden = plan.layers.flatMap(({ units, activation }) => [
      `{type: dense, units: ${units}, activation: ${activation}}`, ...(plan.dropout ? [`{type: dropout, rate: ${real(plan.dropout)}}`] : []),
    ]);
    const layers = [...hidden, `{type: dense, units: ${plan.outputs}, activation: ${LOSSES[plan.loss].last}}`];
    const optimizer = { sgd: "type: sgd", momentum: "type: sgd, momentum: 0.9", adam: "type: adam" }[plan.optimizer];
    const dataset = isPlain(values) ? `{name: ${name}, rows: ${values.rows}, noise: ${real(values.noise)}, seed: ${values.data_seed}, test_size: ${size}}`
      : `{path: ${name}.csv, columns: {target: ${classes ? "class" : "y"}}, task: ${classes ? "classification" : "regression"}, test_size: ${size}}`;
    return [
      ...this.comments(`${name}.csv`).map((line) => `# ${line}`), `name: playground_${name}`, `dataset: ${dataset}`,
      "network:", "  layers:", ...layers.map((layer) => `    - ${layer}`), `loss: ${plan.loss}`, "training:",
      `  optimizer: {${optimizer}, weight_decay: ${real(plan.weight_decay)}}`, `  learning_rate: ${real(plan.rate)}`,
      `  iterations: ${training.iteration || 1000}`, `  batch_size: ${Math.min(plan.batch_size, training.rows.y.length || Infinity)}`, `seed: ${plan.seed}`, "",
    ].join("\n");
  }

  comments(file) {
    const { training, changes } = this, found = [`From the playground of nnrun: ${this.data}.`], count = training.iteration.toLocaleString("en");
    if (this.table()) found.push(`No config computes these columns: save the table below as ${file} beside it.`);
    if (!training.iteration) return [...found, "Nothing has been trained there yet; change the iterations as you like."];
    if (changes.length) {
      return [...found, "These are its last settings. Some were others before, so that training from the",
        `start does not give the network of its iteration ${count}:`, ...changes.map((line) => `  ${line}`)];
    }
    const losses = Object.entries(this.losses()).filter(([name]) => name.endsWith("_loss"));
    return [...found, `Training it gives what the page shows at iteration ${count}, up to rounding:`, losses.map(([name, value]) => `${name.replace("_", " ")} ${value}`).join(", ")];
  }
}

globalThis.nnrunSession = { Session, Wrong, SETTINGS, MOST, OWN };
})();
