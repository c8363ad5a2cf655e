// Searches ENTRIES, which stands above: all words have to be in a title or its text.
const box = document.getElementById("words");
const found = document.getElementById("found");

function score(entry, words) {
  const title = entry.title.toLowerCase(), text = entry.text.toLowerCase();
  let sum = 0;
  for (const word of words) {
    if (!title.includes(word) && !text.includes(word)) return 0;
    sum += title.includes(word) ? 10 : 1;
  }
  return sum;
}

function part(text, word) {
  const start = Math.max(0, text.toLowerCase().indexOf(word) - 40);
  return (start ? "… " : "") + text.slice(start, start + 140) + (text.length > start + 140 ? " …" : "");
}

function row(entry, word) {
  const item = document.createElement("li"), link = document.createElement("a");
  const about = document.createElement("p");
  link.href = entry.url;
  link.textContent = entry.title;
  about.textContent = part(entry.text, word);
  item.append(link, about);
  return item;
}

function search() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const hits = ENTRIES.map((entry) => [words.length ? score(entry, words) : 0, entry])
    .filter(([points]) => points)
    .sort((a, b) => b[0] - a[0])
    .slice(0, 20)
    .map(([, entry]) => row(entry, words[0]));
  if (words.length && !hits.length) {
    const item = document.createElement("li");
    item.textContent = "Nothing has all of these words.";
    hits.push(item);
  }
  found.replaceChildren(...hits);
}

box.addEventListener("input", search);
found.addEventListener("click", (event) => {
  if (event.target.closest("a")) found.replaceChildren();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") found.replaceChildren();
});
box.closest("search").hidden = false;
