// The life of an agent: one version after the other, what happened, and what the data were then.
const steps = facts.steps, last = steps.length - 1, slider = byId("slider");
const idOf = (step, path) => facts.ids[step.definition][path];

// A pointer without its first slash, as deltas write it, as the keys it goes through.
const keys = pointer => pointer.split("/").map(key => key.replaceAll("~1", "/").replaceAll("~0", "~"));

const holderOf = (data, path) => path.reduce((inside, key) => inside?.[key], data);

function change(data, delta) {
  for (const [pointer, value] of Object.entries(delta.set ?? {})) {
    const path = keys(pointer), key = path.pop();
    holderOf(data, path)[key] = structuredClone(value);
  }
  for (const [pointer, items] of Object.entries(delta.append ?? {})) {
    const path = keys(pointer), key = path.pop(), holder = holderOf(data, path);
    holder[key] = [...(holder[key] ?? []), ...structuredClone(items)];
  }
  for (const pointer of delta.remove ?? []) {
    const path = keys(pointer), key = path.pop(), holder = holderOf(data, path);
    if (Array.isArray(holder)) holder.splice(Number(key), 1); else delete holder[key];
  }
}

function dataAfter(count) {
  const data = structuredClone(facts.data);
  for (const step of steps.slice(0, count)) change(data, step.delta);
  return data;
}

const written = value => value === undefined ? "" : JSON.stringify(value, null, 1);

function dataTable(before, after) {
  const table = element("table"), names = [...new Set([...Object.keys(before), ...Object.keys(after)])];
  const rows = names.map(name => [name, written(before[name]), written(after[name])]);
  for (const [name, old, now] of [...rows.filter(row => row[1] !== row[2]), ...rows.filter(row => row[1] === row[2])]) {
    const row = table.insertRow();
    row.append(element("th", name));
    const cell = row.insertCell();
    if (old !== now && old) cell.append(element("del", old), " ");
    if (now) cell.append(element(old === now ? "span" : "ins", now));
  }
  return table;
}

// An edge that crosses a border is drawn in two parts, and its label between them: all have one name.
const nameOf = node => node.id.replace(/^p\d+-/, "").replace(/--(on|label)$/, "");

function mark(picture, index) {
  const shown = steps[index], version = shown.version, turns = facts.turns[shown.definition];
  for (const node of picture.svg.querySelectorAll("g.node, g.cluster, g.edge")) {
    const name = nameOf(node), at = turns[name] ?? [];
    node.classList.toggle("touched", at.some(each => each <= version));
    node.classList.toggle("taking", at.includes(version) && node.classList.contains("transition"));
    node.classList.toggle("here", name === idOf(shown, shown.to));
  }
}

function addFact(panel, name, value) {
  if (value === null || value === undefined || value === "") return;
  panel.append(element("h3", name), element("p", value));
}

function describe(index) {
  const step = steps[index], panel = byId("step");
  panel.replaceChildren(element("h2", `Version ${step.version}: ${step.to}`), element("p", step.text));
  panel.append(element("p", [step.at, step.status, step.by && `by ${step.by}`].filter(Boolean).join(" · "), "muted"));
  if (Object.keys(step.payload).length) panel.append(element("h3", `Payload of ${step.event}`), element("pre", written(step.payload)));
  addFact(panel, "It asks", step.prompt);
  panel.append(element("h3", "Data"), dataTable(dataAfter(index), dataAfter(index + 1)));
  if (step.output !== null) panel.append(element("h3", "Output"), element("pre", written(step.output)));
}

// A state is entered again by a transition to itself, and a compound state by whoever comes from outside.
function enters(step, path) {
  if (step.to === path) return (facts.turns[step.definition][idOf(step, path)] ?? []).includes(step.version);
  return step.to.startsWith(path + ".") && !step.from?.startsWith(path + ".");
}

function describeState(path) {
  const panel = byId("state"), here = steps.filter(step => enters(step, path));
  const times = here.length ? `entered ${here.length === 1 ? "once" : `${here.length} times`}` : "never entered";
  panel.replaceChildren(element("h2", path), element("p", times, "muted"));
  for (const step of here) panel.append(button(`version ${step.version}`, () => show(steps.indexOf(step))), " ");
}

const holders = [...document.querySelectorAll(".picture")];
const pathOf = Object.values(facts.ids).map(ids => Object.fromEntries(Object.entries(ids).map(([path, id]) => [id, path])));
const pictures = holders.map((holder, number) => new Picture(holder, {
  choose(id) {
    pictures[number].choose(id);
    describeState(pathOf[number][nameOf(byId(id))]);
  },
}));

function show(index) {
  if (last < 0) return;
  const at = Math.min(Math.max(index, 0), last), number = Object.keys(facts.ids).indexOf(steps[at].definition);
  slider.value = at;
  holders.forEach((holder, each) => { holder.hidden = each !== number; });
  mark(pictures[number], at);
  describe(at);
  byId("place").textContent = `step ${at + 1} of ${last + 1}`;
  byId("back").disabled = at === 0;
  byId("forth").disabled = at === last;
  [...byId("steps").rows].forEach((row, each) => row.classList.toggle("now", each === at));
}

byId("title").textContent = visible(`${facts.workflow} · ${facts.id}`);
byId("standing").textContent = visible(facts.standing);
slider.max = Math.max(last, 0);
slider.addEventListener("input", () => show(Number(slider.value)));
byId("back").addEventListener("click", () => show(Number(slider.value) - 1));
byId("forth").addEventListener("click", () => show(Number(slider.value) + 1));
byId("fit").addEventListener("click", () => pictures.forEach(picture => picture.fit()));
document.addEventListener("keydown", event => {
  if (event.target === slider) return;
  if (event.key === "ArrowLeft") show(Number(slider.value) - 1);
  if (event.key === "ArrowRight") show(Number(slider.value) + 1);
});
for (const [index, step] of steps.entries()) {
  const row = byId("steps").insertRow();
  row.insertCell().append(button(String(step.version), () => show(index), "link"));
  row.insertCell().textContent = visible(step.text);
}
show(last);
