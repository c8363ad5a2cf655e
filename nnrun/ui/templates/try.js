// A network is tried out: a drawing or a row goes to the server, its answer comes back.
(() => {
"use strict";
const section = document.getElementById("try");
if (!section) return;
const insert = (element, html) => {
  element.innerHTML = html;
  element.dispatchEvent(new CustomEvent("nnrun:content", { bubbles: true }));
};

// The newest request counts; while one is under way, only the last of those that follow is sent.
const asker = (form, place) => {
  let busy = false, next = null, turn = 0, row = null;
  // Answers that are under way are not shown.
  const forget = () => {
    turn += 1;
    next = row = null;
  };
  const ask = async (content) => {
    row = null;
    if (busy) { next = content; return; }
    busy = true;
    const own = turn;
    const html = await fetch(form.dataset.answer, {
      method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content),
    }).then((answer) => answer.text()).catch(() => "The server does not answer.");
    if (own === turn) insert(place, html);
    busy = false;
    if (next) { const content = next; next = null; ask(content); }
  };
  // The values of a row; null if there are none, or if something else was done before they came.
  const rowOf = async (button) => {
    forget();
    const own = row = {}, number = form.querySelector(".row-number").value;
    const content = await fetch(`${button.dataset.row}/${encodeURIComponent(number || 0)}`)
      .then((answer) => answer.json().catch(() => ({ error: "There is no such row." })))
      .catch(() => ({ error: "The server does not answer." }));
    if (own !== row) return null;
    if (content.error) place.textContent = content.error;
    return content.values || null;
  };
  form.addEventListener("input", ({ target }) => { if (target.matches(".cells input")) row = null; });
  return { ask, forget, rowOf };
};

const drawing = (form, place) => {
  const canvas = form.querySelector("canvas");
  const [channels, height, width] = ["channels", "height", "width"].map((name) => Number(canvas.dataset[name]));
  const scale = Math.max(1, Math.floor(280 / Math.max(height, width)));
  canvas.width = width * scale;
  canvas.height = height * scale;
  const pen = canvas.getContext("2d", { willReadFrequently: true });
  const colour = form.querySelector("input[type=color]");
  const { ask, forget, rowOf } = asker(form, place);
  const clear = () => {
    forget();
    pen.fillStyle = "#000";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    place.replaceChildren();
  };
  // The mean of each square of the canvas is a pixel of the image.
  const pixels = () => {
    const data = pen.getImageData(0, 0, canvas.width, canvas.height).data;
    const found = new Float64Array(channels * height * width);
    for (let y = 0; y < canvas.height; y += 1) {
      for (let x = 0; x < canvas.width; x += 1) {
        const cell = Math.floor(y / scale) * width + Math.floor(x / scale);
        for (let c = 0; c < channels; c += 1) {
          found[c * height * width + cell] += data[4 * (y * canvas.width + x) + c] / (255 * scale * scale);
        }
      }
    }
    return [...found].map((value) => Math.min(1, Math.round(value * 1e4) / 1e4));
  };
  let last = null;
  const point = (event) => {
    const box = canvas.getBoundingClientRect();
    return [(event.clientX - box.left) * canvas.width / box.width, (event.clientY - box.top) * canvas.height / box.height];
  };
  const stroke = (event) => {
    const now = point(event);
    pen.strokeStyle = colour ? colour.value : "#fff";
    pen.lineWidth = Math.max(1.6 * scale, canvas.width / 12);
    pen.lineCap = pen.lineJoin = "round";
    pen.beginPath();
    pen.moveTo(...(last || now));
    pen.lineTo(...now);
    pen.stroke();
    last = now;
    ask({ pixels: pixels() });
  };
  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    last = null;
    stroke(event);
  });
  canvas.addEventListener("pointermove", (event) => { if (event.buttons) stroke(event); });
  form.querySelector("[data-clear]").addEventListener("click", clear);
  const show = form.querySelector("[data-row]");
  if (show) show.addEventListener("click", async () => {
    const values = await rowOf(show);
    if (!values) return;
    for (let cell = 0; cell < height * width; cell += 1) {
      const parts = [0, 1, 2].map((c) => Math.round(255 * values[(channels === 3 ? c : 0) * height * width + cell]));
      pen.fillStyle = `rgb(${parts.join()})`;
      pen.fillRect((cell % width) * scale, Math.floor(cell / width) * scale, scale, scale);
    }
    ask({ pixels: values });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  clear();
};

const typing = (form, place) => {
  const boxes = [...form.querySelectorAll(".cells input")];
  const { ask, rowOf } = asker(form, place);
  const send = () => ask({ cells: boxes.map((box) => box.value) });
  form.addEventListener("submit", (event) => { event.preventDefault(); send(); });
  form.addEventListener("change", (event) => { if (boxes.includes(event.target)) send(); });
  const fill = form.querySelector("[data-row]");
  if (fill) fill.addEventListener("click", async () => {
    const values = await rowOf(fill);
    if (!values) return;
    boxes.forEach((box, index) => { box.value = String(values[index]); });
    send();
  });
};

(async () => {
  const note = section.querySelector(".note");
  try {
    const found = await fetch(section.dataset.form);
    const box = make("div");
    insert(box, await found.text());
    note.replaceWith(...box.childNodes);
  } catch {
    note.textContent = "The server does not answer.";
    return;
  }
  const form = section.querySelector("form.try"), place = section.querySelector(".answer");
  if (form) (form.querySelector("canvas") ? drawing : typing)(form, place);
})();
})();
