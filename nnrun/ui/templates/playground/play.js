// The playground: asks for updates, shows what comes back, and sends what is changed.
(() => {
"use strict";
const play = document.getElementById("play");
const { losses, short } = window.nnrunPictures, network = window.nnrunNetwork;
const $ = (name) => document.getElementById(`play-${name}`);
const calm = matchMedia("(prefers-reduced-motion: reduce)");
const MOST_POINTS = 600, PICTURE_MS = 60, CALM_MS = 1000, KEEP_MS = 60_000;
let session = null, form = null, frame = null, drawn = 0;
let playing = false, loop = 0, typed = null, curve = [], edits = {}, run = play.dataset.run, data = "circles";

// What is sent goes one after the other, so that what comes back is always newer.
let before = Promise.resolve();
const inTurn = (job) => {
  before = before.then(job, job);
  return before;
};
const post = async (action, content) => {
  try {
    const answer = await fetch(`playground/${action}`, {
      method: "POST", headers: { "content-type": "application/json" },
      body: JSON.stringify({ session, ...content }),
    });
    return await answer.json().catch(() => ({ error: "The server has refused this." }));
  } catch {
    return { error: "The server does not answer." };
  }
};
const ask = (action, content = () => ({})) => inTurn(async () => {
  const found = await post(action, content());
  // The next pictures of a network that learns leave it readable.
  if (found.error || action !== "advance") say("error", found.error || "");
  if (found.lost) {
    pause();
    await begin(`${found.error} It begins anew with its settings.`);
  }
  return found.error ? null : found;
});
const say = (where, text) => {
  const place = $(where);
  if (place.textContent !== text) place.textContent = text;
  if (where === "error") place.hidden = !text;
};

const heldName = () => (form.rows.test ? "test" : form.rows.validation ? "validation" : "");
const digits = () => {
  const found = frame.losses, held = heldName(), accuracy = found[`${held || "train"}_accuracy`];
  $("iteration").textContent = frame.iteration.toLocaleString("en");
  $("epoch").textContent = frame.epoch.toFixed(1);
  $("train").textContent = short(found.train_loss);
  $("held").textContent = held ? short(found[`${held}_loss`]) : "–";
  $("held-name").textContent = held || "test";
  $("accuracy").hidden = accuracy === undefined;
  $("accuracy").firstChild.textContent = `${held || "train"} accuracy`;
  if (accuracy !== undefined) $("accuracy").lastElementChild.textContent = `${(100 * accuracy).toFixed(1)} %`;
};
const note = () => {
  const last = curve.length && curve[curve.length - 1];
  const row = [frame.iteration, frame.losses.train_loss, heldName() ? frame.losses[`${heldName()}_loss`] : null];
  if (last && last[0] >= row[0]) curve = curve.filter(([iteration]) => iteration < row[0]);
  curve.push(row);
  if (curve.length > MOST_POINTS) curve = curve.filter((_, place) => place % 2 === 0 || place === curve.length - 1);
};
const rest = () => {
  const [first, last] = [curve[0], curve[curve.length - 1]];
  $("curve").setAttribute("aria-label", `Training loss from ${short(first[1])} to ${short(last[1])} in ${last[0]} iterations`);
  network.tables();
};
const show = (found, force = false) => {
  frame = found;
  note();
  if (frame.trouble) pause();
  const now = performance.now();
  if (force || !playing || now - drawn >= (calm.matches ? CALM_MS : PICTURE_MS - 10)) {
    drawn = now;
    digits();
    losses($("curve"), curve);
    network.show(frame);
  }
  if (frame.trouble) say("error", frame.trouble);
  if (!playing) rest();
};

// Settings: the page shows those of the server, also after one that it refuses; what is being typed stays.
const fill = () => {
  for (const control of all("[data-setting]", play)) {
    const value = form.values[control.dataset.setting], why = form.fixed[control.dataset.setting];
    const shown = value === null || value === undefined ? "" : String(value);
    if (control !== typed || control !== document.activeElement) control.value = shown;
    control.disabled = Boolean(why);
    control.title = why || "";
    if (control.type === "number") control.placeholder = value === null && !why ? "varies" : "";
  }
  const depth = form.values.layers.length, fixed = Boolean(form.fixed.layers);
  $("depth").textContent = String(form.layers.length);
  $("fewer").disabled = fixed || depth === 0;
  $("more").disabled = fixed || depth >= Number($("more").dataset.most);
};
const arrange = (found, focus) => {
  form = found.form;
  network.arrange(found);
  fill();
  show(found.frame, true);
  const next = focus && play.querySelector(focus);
  if (next && document.activeElement === document.body) next.focus();
};
const widths = () => [...form.values.layers];
// What is wanted of layers depends on what there is once all changes before are made.
const change = async (choose, focus) => {
  let wanted = null;
  const found = await ask("change", () => ({ edits: wanted = choose() }));
  if (!found) { if (form) fill(); return; }
  edits = { ...edits, ...wanted };
  intoAddress();
  if (found.frame.iteration === 0) curve = [];
  arrange(found, focus);
  say("said", found.said);
};
// Settings are in the address, so that it can be kept and sent.
const fromAddress = () => {
  const query = new URLSearchParams(location.search);
  data = query.get("data") || data;
  if (query.has("layers")) edits.layers = query.get("layers").split(",").filter(Boolean).map(Number);
  for (const control of all("[data-setting]", play)) {
    const name = control.dataset.setting, value = query.get(name);
    if (value !== null) edits[name] = control.type === "number" ? Number(value) : value;
  }
};
const intoAddress = () => {
  $("data").value = run ? "" : data;
  const query = new URLSearchParams({ ...(run ? { run } : { data }), ...edits });
  history.replaceState(null, "", `?${query}`);
};
const begin = async (words = "") => {
  const own = run ? { run } : { data };
  const found = await post("start", { ...own, edits });
  say("error", found.error || "");
  if (found.error && (Object.keys(edits).length || !(run || data === "circles"))) {
    if (!Object.keys(edits).length) data = "circles";
    edits = {};  // as of an address that was typed
    await begin(found.error);
  }
  if (found.error) return;
  intoAddress();
  session = found.session;
  curve = [];
  arrange(found);
  const { train, ...held } = form.rows;
  const rows = [`${train} rows to train on`, ...Object.entries(held).map(([name, count]) => `${count} of the ${name} split`)];
  say("said", [words, `${form.title}: ${rows.join(", ")}; ${form.parameters} parameters.`, ...form.notes].join(" ").trim());
};

const pause = () => {
  playing = false;
  $("run").textContent = "▶ Play";
  $("run").setAttribute("aria-pressed", "false");
};
const wait = (ms) => new Promise((done) => { setTimeout(done, ms); });
const updates = () => ({ 1: 1, epoch: "epoch", most: 100_000 })[$("pace").value];
const start = async () => {
  const own = loop += 1;
  playing = true;
  $("run").textContent = "❚❚ Pause";
  $("run").setAttribute("aria-pressed", "true");
  say("said", "");
  say("error", "");
  while (playing && own === loop) {
    const begun = performance.now();
    const found = document.hidden ? null : await ask("advance", () => ({ updates: updates() }));
    if (found) show(found.frame);
    else if (!document.hidden) pause();
    await wait(Math.max(document.hidden ? 300 : 0, PICTURE_MS - (performance.now() - begun)));
  }
  if (frame) show(frame, true);
};

$("run").addEventListener("click", () => (playing ? pause() : start()));
$("step").addEventListener("click", async () => {
  pause();
  say("error", "");
  const found = await ask("advance", () => ({ updates: 1 }));
  if (found) show(found.frame, true);
});
$("reset").addEventListener("click", async () => {
  pause();
  const found = await ask("reset");
  if (!found) return;
  curve = [];
  arrange(found);
  say("said", "The initial weights of these settings.");
});
$("copy").addEventListener("click", async () => {
  const found = await ask("config");
  if (!found) return;
  const place = $("config").querySelector("pre");
  place.textContent = found.config;
  $("config").open = true;
  try {
    await navigator.clipboard.writeText(found.config);
    say("said", "The config is copied.");
  } catch {
    getSelection().selectAllChildren(place);
    say("said", "The config is below; its text is selected.");
  }
});
$("controls").addEventListener("submit", (event) => event.preventDefault());
$("controls").addEventListener("input", ({ target }) => { typed = target; });
$("controls").addEventListener("change", ({ target }) => {
  const name = target.dataset.setting;
  typed = null;
  if (!name) return;
  if (target.type === "number" && target.value === "") { fill(); return; }
  const value = target.type === "number" ? Number(target.value) : target.value;
  change(() => ({ [name]: value }));
});
$("data").addEventListener("change", ({ target }) => {
  run = target.value ? "" : play.dataset.run;
  data = target.value;
  pause();
  inTurn(() => {
    const { noise, data_seed, ...kept } = edits;
    edits = kept;
    return begin();
  });
});
$("fewer").addEventListener("click", () => change(() => ({ layers: widths().slice(0, -1) })));
$("more").addEventListener("click", () => change(() => ({ layers: [...widths(), Math.min(form.most_units, widths().at(-1) || 4)] })));
network.resized((index, by) => change(
  () => ({ layers: widths().map((units, place) => units + (place === index ? by : 0)) }),
  `.width button[data-by="${index} ${by}"]`,
));
// An open page keeps its session, also while it rests; one that is closed gives it back.
setInterval(() => { if (session && (!playing || document.hidden)) ask("advance", () => ({ updates: 0 })); }, KEEP_MS);
addEventListener("pagehide", () => {
  pause();
  if (session) fetch("playground/close", { method: "POST", keepalive: true, body: JSON.stringify({ session }) });
});
fromAddress();
inTurn(() => begin());
})();
