// The playground: its controls, its address, and the pace of training.
(() => {
"use strict";
const play = document.getElementById("play");
const { DATA, ACTIVATIONS, OPTIMIZERS } = globalThis.nnrunEngine, { Session, Wrong, SETTINGS, MOST, OWN } = globalThis.nnrunSession;
const { all, make, losses, short } = window.nnrunPictures, network = window.nnrunNetwork;
const $ = (name) => document.getElementById(`play-${name}`);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const MOST_POINTS = 600, PICTURE_MS = 60, CALM_MS = 1000, SLICE_MS = 25, HIDDEN_MS = 300;
let session = null, form = null, frame = null, drawn = 0, playing = 0, typed = null, curve = [];

const say = (where, text) => {
  const place = $(where);
  if (place.textContent !== text) place.textContent = text;
  if (where === "error") place.hidden = !text;
};
// What is wrong with a setting is said; anything else is a mistake of this page.
const trying = (job) => {
  try {
    const found = job();
    say("error", "");
    return found;
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    say("error", error.message);
    return null;
  }
};

const digits = () => {
  const found = frame.losses, accuracy = found.test_accuracy === undefined ? found.train_accuracy : found.test_accuracy;
  $("iteration").textContent = frame.iteration.toLocaleString("en");
  $("epoch").textContent = frame.epoch.toFixed(1);
  $("train").textContent = short(found.train_loss);
  $("held").textContent = short(found.test_loss);
  $("accuracy").hidden = accuracy === undefined;
  $("accuracy").firstChild.textContent = `${found.test_accuracy === undefined ? "train" : "test"} accuracy`;
  if (accuracy !== undefined) $("accuracy").lastElementChild.textContent = `${(100 * accuracy).toFixed(1)} %`;
};
const note = () => {
  const row = [frame.iteration, frame.losses.train_loss, frame.losses.test_loss];
  curve = curve.filter(([iteration]) => iteration < row[0]);
  curve.push(row);
  if (curve.length > MOST_POINTS) curve = curve.filter((_, place) => place % 2 === 0 || place === curve.length - 1);
};
const fillConfig = () => {
  if (!$("config").open || playing) return;
  const [config, table] = all("pre", $("config")), rows = session.table();
  config.textContent = session.config();
  table.textContent = rows;
  table.parentNode.hidden = !rows;
};
const rest = () => {
  const [first, last] = [curve[0], curve[curve.length - 1]];
  $("curve").setAttribute("aria-label", `Training loss from ${short(first[1])} to ${short(last[1])} in ${last[0]} iterations`);
  network.tables();
  fillConfig();
};
const show = (force = false) => {
  const { trouble } = session;
  if (trouble) pause();
  const now = performance.now();
  if (force || !playing || now - drawn >= (calm.matches ? CALM_MS : PICTURE_MS - 10)) {
    drawn = now;
    frame = session.frame();
    note();
    digits();
    losses($("curve"), curve);
    network.show(frame);
  }
  if (trouble) say("error", trouble);
  if (!playing) rest();
};

// Settings: the page shows those that hold, also after one that is wrong; what is being typed stays.
const fill = () => {
  for (const control of all("[data-setting]", play)) {
    const value = form.values[control.dataset.setting], why = form.fixed[control.dataset.setting];
    const text = Array.isArray(value) ? (new Set(value).size === 1 ? value[0] : "") : String(value);
    if (control !== typed || control !== document.activeElement) control.value = why ? "" : text;
    control.disabled = Boolean(why);
    control.title = why || "";
  }
  $("features").replaceChildren($("features").firstElementChild, ...form.choices.map(([name, label]) => {
    const box = make("input", { type: "checkbox", value: name });
    box.checked = form.values.features.includes(name);
    return make("label", {}, box, label);
  }));
  $("depth").textContent = String(form.layers.length);
  $("fewer").disabled = form.layers.length === 0;
  $("more").disabled = form.layers.length >= MOST.layers;
  $("own").hidden = !form.is_own;
  const rows = session.values.points.map(([a, b, which]) => `${a},${b},${"AB"[which]}`).join("\n");
  if ($("points") !== document.activeElement) $("points").value = rows;
};
const arrange = (focus = "") => {
  form = session.form();
  frame = session.frame();
  network.arrange(form, frame);
  fill();
  show(true);
  const next = focus && play.querySelector(focus);
  if (next && document.activeElement === document.body) next.focus();
};
const change = (edits, focus) => {
  const words = trying(() => session.change(edits));
  if (words === null) { fill(); return; }
  intoAddress();
  if (session.training.iteration === 0) curve = [];
  arrange(focus);
  say("said", words);
};

// Settings are in the address, so that it can be kept and sent; points are behind the #, which no server sees.
const LISTS = ["activation", "features"];
const read = (name, text) => {
  if (name === "layers") return text.split(",").filter(Boolean).map(Number);
  if (LISTS.includes(name)) return text.split(",").filter(Boolean);
  if (name === "points") return text.split(/[;\n]+/).filter((line) => line.trim()).map((line) => {
    const [a, b, which = ""] = line.split(",").map((cell) => cell.trim());
    return [Number(a || NaN), Number(b || NaN), "AB".indexOf(which || "-")];
  });
  return name === "optimizer" ? text : text === "" ? NaN : Number(text);
};
const fromAddress = () => {
  const query = new URLSearchParams(`${location.hash.slice(1)}&${location.search.slice(1)}`), wrong = [];
  let data = query.get("data") || "circles";
  const begun = (edits) => {
    try {
      session = new Session(data, edits);
      return true;
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      wrong.push(error.message);
      return false;
    }
  };
  if (!begun({})) {
    data = "circles";
    begun({});
  }
  let edits = {};
  for (const name of Object.keys(SETTINGS)) {
    if (!query.has(name)) continue;
    const wanted = { ...edits, [name]: read(name, query.get(name)) };
    if (begun(wanted)) edits = wanted;
  }
  begun(edits);
  return wrong.join(" ");
};
const intoAddress = () => {
  const { points, ...edits } = session.edits, query = new URLSearchParams({ data: session.data, ...edits });
  const text = String(query).replaceAll("%2C", ",").replaceAll("+", "%20");
  const drawn_ = points ? `points=${points.map(([a, b, which]) => `${a},${b},${"AB"[which]}`).join(";")}` : "";
  // A page that is a file keeps its query, which browsers may not let it change.
  if (location.protocol === "file:") history.replaceState(null, "", `#${[text, drawn_].filter(Boolean).join("&")}`);
  else history.replaceState(null, "", `?${text}${drawn_ && `#${drawn_}`}`);
};
const begin = (words = "") => {
  curve = [];
  $("data").value = session.data;
  intoAddress();
  arrange();
  const { train, test = 0 } = form.rows;
  say("said", [words, `${form.title}: ${train} rows to train on${test ? `, ${test} of the test split` : ""}; ${form.parameters} parameters.`].join(" ").trim());
};

const pause = () => {
  playing = 0;
  $("run").textContent = "▶ Play";
  $("run").setAttribute("aria-pressed", "false");
};
// As many updates as the pace wants, then a pause for the browser, or for the picture to come.
const turn = (own) => {
  if (own !== playing) return;
  const begun = performance.now(), pace = $("pace").value, fast = pace === "most";
  const done = trying(() => {
    session.advance(fast ? Infinity : pace === "1" ? 1 : session.training.batches, document.hidden ? HIDDEN_MS : fast ? SLICE_MS : 4 * SLICE_MS);
    return true;
  });
  if (!done) pause();
  if (done && !document.hidden) show();
  else if (session.trouble) show(true);
  if (own === playing) setTimeout(turn, fast ? 0 : PICTURE_MS - (performance.now() - begun), own);
};
const start = () => {
  playing = performance.now();
  $("run").textContent = "❚❚ Pause";
  $("run").setAttribute("aria-pressed", "true");
  say("said", "");
  turn(playing);
};

$("run").addEventListener("click", () => {
  if (!playing) { start(); return; }
  pause();
  show(true);
});
$("step").addEventListener("click", () => {
  pause();
  trying(() => session.advance(1));
  show(true);
});
$("reset").addEventListener("click", () => {
  pause();
  trying(() => session.reset());
  curve = [];
  arrange();
  say("said", "The initial weights of these settings.");
});
$("copy").addEventListener("click", async () => {
  $("config").open = true;
  fillConfig();
  const place = $("config").querySelector("pre");
  place.textContent = session.config();
  try {
    await navigator.clipboard.writeText(place.textContent);
    say("said", "The config is copied.");
  } catch {
    getSelection().selectAllChildren(place);
    say("said", "The config is below; its text is selected.");
  }
});
$("config").addEventListener("toggle", () => {
  if (playing) { pause(); show(true); }
  fillConfig();
});
play.addEventListener("submit", (event) => event.preventDefault());
play.addEventListener("input", ({ target }) => { typed = target; });
play.addEventListener("change", ({ target }) => {
  typed = null;
  if (target.dataset.layer) {
    change({ activation: form.values.activation.with(Number(target.dataset.layer), target.value) }, `[data-layer="${target.dataset.layer}"]`);
  } else if (target.closest("#play-features")) {
    const name = target.value;
    change({ features: all("input:checked", $("features")).map((box) => box.value) });
    play.querySelector(`#play-features [value=${name}]`).focus();
  } else if (target === $("points")) change({ points: read("points", target.value) });
  else if (target.dataset.setting && (target.type !== "number" || target.value !== "")) {
    change({ [target.dataset.setting]: read(target.dataset.setting, target.value) });
  } else if (target.dataset.setting) fill();
});
$("data").addEventListener("change", ({ target }) => {
  pause();
  const { noise, data_seed, features, ...kept } = session.edits;
  trying(() => { session = new Session(target.value, kept); });
  begin();
});
const widths = () => [...form.values.layers];
$("fewer").addEventListener("click", () => change({ layers: widths().slice(0, -1) }));
$("more").addEventListener("click", () => change({ layers: [...widths(), widths().at(-1) || 4] }));
network.resized((index, by) => change(
  { layers: widths().map((units, place) => units + (place === index ? by : 0)) }, `.width button[data-by="${index} ${by}"]`,
));

// Points are drawn on the large picture, one for each click, more while the mouse is held.
let last = null;
const draw = (event) => {
  const box = $("large").getBoundingClientRect(), at = [event.clientX - box.left, event.clientY - box.top];
  if (!form.is_own || event.buttons !== 1 || (last && Math.hypot(at[0] - last[0], at[1] - last[1]) < 12)) return;
  last = at;
  const point = [2 * at[0] / box.width - 1, 1 - 2 * at[1] / box.height].map((value) => Math.round(100 * value) / 100 + 0), points = session.values.points;
  const which = $("which").value, near = ([a, b]) => Math.hypot(a - point[0], b - point[1]) < 0.08;
  change({ points: which === "" ? points.filter((row) => !near(row)) : [...points, [...point, Number(which)]] });
};
$("large").addEventListener("pointerdown", (event) => { last = null; draw(event); });
$("large").addEventListener("pointermove", draw);
$("clear").addEventListener("click", () => change({ points: [] }));

const offer = (select, names) => select.append(...names.map((name) => make("option", {}, name)));
offer($("data"), [...Object.keys(DATA), OWN]);
offer(play.querySelector("[data-setting=activation]"), Object.keys(ACTIVATIONS));
offer(play.querySelector("[data-setting=optimizer]"), Object.keys(OPTIMIZERS));
// On a small screen the network comes first.
$("settings").open = innerHeight > 620 && innerWidth > 760;
const wrong = fromAddress();
begin();
say("error", wrong);
})();
