"use strict";
const data = JSON.parse(document.getElementById("data").textContent);
const SYSTEMS_FROM = 7; // where the systems' parts begin in an utterance's list
const PARTS = 3; // of each system
const PAGE = 50;

const names = data.systems.map((each) => each.name);
const utterances = data.utterances.map((row) => ({
  id: row[0], set: data.sets[row[1]], condition: data.conditions[row[2]], speaker: data.speakers[row[3]],
  seconds: row[4], clip: row[5], said: row[6] ? row[6].split(" ") : [],
  letters: names.map((_, system) => row[SYSTEMS_FROM + PARTS * system]),
  words: names.map((_, system) => row[SYSTEMS_FROM + PARTS * system + 1]),
  confidences: names.map((_, system) => row[SYSTEMS_FROM + PARTS * system + 2]),
}));
for (const each of utterances) {
  each.errors = each.letters.map((letters) => letters.replaceAll("=", "").length);
  each.text = [each.id, each.speaker, each.said.join(" "), ...each.words].join(" ").toLowerCase();
}

const element = (id) => document.getElementById(id);
const make = (tag, text = "", kind = "") => Object.assign(document.createElement(tag), { textContent: text, className: kind });
const count = (number, what) => `${number.toLocaleString("en")} ${what}${number === 1 ? "" : "s"}`;

const columns = [
  { title: () => "gain", number: true, value: (each, a, b) => each.errors[a] - each.errors[b] },
  { title: (a) => `${data.systems[a].title} errors`, number: true, value: (each, a) => each.errors[a] },
  { title: (a, b) => `${data.systems[b].title} errors`, number: true, value: (each, a, b) => each.errors[b] },
  { title: () => "words", number: true, value: (each) => each.said.length },
  { title: () => "seconds", number: true, digits: 1, value: (each) => each.seconds },
  { title: () => "utterance", value: (each) => each.id },
];
const GAIN = columns[0];
let order = { column: GAIN, down: true };
let page = 0;

function chosen() {
  const [a, b] = ["first", "second"].map((id) => names.indexOf(element(id).value));
  const set = element("set").value, condition = element("condition").value, show = element("show").value;
  const wanted = element("words").value.trim().toLowerCase();
  const outcome = (each) => ["loss", "tie", "win"][Math.sign(each.errors[a] - each.errors[b]) + 1];
  const found = utterances.filter((each) =>
    (!set || each.set === set) && (!condition || each.condition === condition) &&
    (!show || outcome(each) === show) && (!wanted || each.text.includes(wanted)));
  const value = (each) => order.column.value(each, a, b);
  const compare = (x, y) => (x < y ? -1 : x > y ? 1 : 0);
  found.sort((x, y) => (order.down ? -1 : 1) * compare(value(x), value(y)) || compare(x.id, y.id));
  return { a, b, found };
}

// The words of one system by place: before each reference word those made up, then the word itself or null.
function places(each, system) {
  const words = each.words[system].split(" ");
  const made = [[]], taken = [];
  let at = 0;
  for (const letter of each.letters[system]) {
    const cell = letter === "d" ? { letter, word: "–" } : { letter, word: words[at], sure: each.confidences[system][at++] };
    if (letter === "i") made.at(-1).push(cell);
    else {
      taken.push(cell);
      made.push([]);
    }
  }
  return { made, taken };
}

function pair(said, cells) {
  const column = make("span", "", "pair");
  column.append(make("span", said));
  for (const cell of cells) {
    const line = make("span");
    if (cell) line.append(make("span", cell.word, { "=": "same", s: "sub", d: "del", i: "ins" }[cell.letter]));
    if (cell?.sure != null) line.append(make("span", ` ${cell.sure}`, "sure"));
    column.append(line);
  }
  return column;
}

function aligned(each, a, b) {
  const block = Object.assign(make("span", "", "words three"), { dir: "auto" }); // right to left where the words are
  const label = Object.assign(make("span", "", "pair label"), { dir: "ltr" });
  for (const text of ["said", data.systems[a].title, data.systems[b].title]) label.append(make("span", text));
  block.append(label);
  const [first, second] = [places(each, a), places(each, b)];
  for (let place = 0; place <= each.said.length; place++) {
    const made = [first.made[place], second.made[place]];
    for (let extra = 0; extra < Math.max(made[0].length, made[1].length); extra++) {
      block.append(pair("+", made.map((cells) => cells[extra])));
    }
    if (place < each.said.length) block.append(pair(each.said[place], [first.taken[place], second.taken[place]]));
  }
  return block;
}

function row(each, a, b) {
  const line = make("tr");
  for (const column of columns.filter((column) => column.number)) {
    const value = column.value(each, a, b);
    const change = column === GAIN ? ["worse", "", "better"][Math.sign(value) + 1] : "";
    const figure = make("td", "", `number ${change}`);
    figure.append(make("span", (change === "better" ? "+" : "") + value.toFixed(column.digits ?? 0), change && "value"));
    line.append(figure);
  }
  const cell = make("td");
  const which = make("div", "", "which");
  which.append(make("bdi", each.set), `, ${each.condition}, `, make("bdi", each.speaker), " ", make("code", each.id));
  cell.append(which);
  if (each.clip) {
    const player = Object.assign(make("audio"), { controls: true, preload: "none", src: "audio/" + each.clip });
    player.setAttribute("aria-label", each.id);
    cell.append(player);
  }
  cell.append(aligned(each, a, b));
  line.append(cell);
  return line;
}

function draw() {
  const { a, b, found } = chosen();
  const pages = Math.max(1, Math.ceil(found.length / PAGE));
  page = Math.min(page, pages - 1);
  element("utterances").tBodies[0].replaceChildren(
    ...found.slice(page * PAGE, (page + 1) * PAGE).map((each) => row(each, a, b)));
  for (const [place, heading] of [...element("utterances").tHead.rows[0].cells].entries()) {
    const active = columns[place] === order.column;
    heading.setAttribute("aria-sort", active ? (order.down ? "descending" : "ascending") : "none");
    heading.firstChild.textContent = columns[place].title(a, b) + (active ? (order.down ? " ▼" : " ▲") : "");
  }
  const last = Math.min((page + 1) * PAGE, found.length);
  element("place").textContent = found.length
    ? `${(page * PAGE + 1).toLocaleString("en")} to ${last.toLocaleString("en")} of ${count(found.length, "utterance")}`
    : "no utterance";
  element("before").disabled = page === 0;
  element("after").disabled = page === pages - 1;
  element("score").textContent = sentence(a, b);
}

function sentence(a, b) {
  const [first, second] = [data.systems[a], data.systems[b]];
  const score = data.scores.find((each) => each.pair[0] === first.name && each.pair[1] === second.name);
  if (!score) return "Choose two different systems.";
  return `The ${second.title} makes fewer errors than the ${first.title} in ${count(score.wins, "utterance")}, ` +
    `more in ${score.losses.toLocaleString("en")} and as many in ${score.ties.toLocaleString("en")}.`;
}

function fill(id, values, texts = values) {
  for (const [place, value] of values.entries()) element(id).append(Object.assign(make("option", texts[place]), { value }));
}

for (const column of columns) {
  const heading = make("th", "", column.number ? "number" : "");
  heading.scope = "col";
  const button = make("button");
  button.type = "button";
  button.addEventListener("click", () => {
    order = { column, down: order.column === column ? !order.down : Boolean(column.number) };
    page = 0;
    draw();
  });
  heading.append(button);
  element("utterances").tHead.rows[0].append(heading);
}
for (const id of ["first", "second"]) fill(id, names, data.systems.map((each) => each.title));
fill("set", data.sets);
fill("condition", data.conditions);
const last = (name) => [`${name}-smbr`, name].find((each) => names.includes(each)); // after sMBR, where there was any
element("first").value = last("baseline") ?? names[0];
element("second").value = last("student") ?? names.at(-1);
element("choices").addEventListener("input", () => { page = 0; draw(); });
element("choices").addEventListener("submit", (event) => event.preventDefault());
element("before").addEventListener("click", () => { page -= 1; draw(); });
element("after").addEventListener("click", () => { page += 1; draw(); });
draw();
