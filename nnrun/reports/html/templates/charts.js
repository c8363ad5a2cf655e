(() => {
"use strict";
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const make = (tag, text, attributes = {}) => {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  return element;
};

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
})();
