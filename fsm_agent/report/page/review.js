// A change of a workflow: what the numbers in the picture say, what that means, and what must hold.
const slider = byId("slider");

// A sentence whose quotations stand between backticks.
const sentence = (text, className, tag = "p") => {
  const made = element(tag, undefined, className);
  text.split("`").forEach((part, place) => made.append(element(place % 2 ? "code" : "span", part)));
  return made;
};

const list = (items, tag = "ul") => {
  const made = element(tag);
  for (const text of items) made.append(sentence(text, undefined, "li"));
  return made;
};

const details = (title, ...inside) => {
  const made = element("details");
  made.append(element("summary", title), ...inside);
  return made;
};

function changeRow(row) {
  const made = element("div", undefined, `row ${row.level}`), text = element("div");
  text.append(sentence(row.text));
  if (row.risk) text.append(sentence(row.risk, "risk"));
  const name = row.sign || "·";
  made.append(row.state ? button(name, () => choose(row.state)) : element("span", name, "muted"), text);
  return made;
}

function meaningRow(row) {
  const made = element("div");
  made.append(sentence(row.text));
  if (row.examples.length) made.append(list(row.examples));
  return made;
}

function propertyRow(row) {
  const made = element("div");
  made.append(sentence(row.text, row.isGood ? "good" : "bad"));
  made.append(sentence(row.rule, "why"));
  if (row.why) made.append(sentence(row.why, "why"));
  if (row.isReal) made.append(sentence("An agent of the real engine was made to break it.", "why"));
  if (row.path.length) made.append(element("h3", "The shortest way to it"), list(row.path, "ol"));
  if (row.cycle.length) made.append(element("h3", "And then again and again"), list(row.cycle, "ol"));
  if (row.test) made.append(details("The test", element("pre", row.test)));
  return made;
}

function section(title, rows, make) {
  if (!rows.length) return;
  byId("lists").append(element("h2", title), ...rows.map(make));
}

function neighbours(title, edges) {
  if (!edges.length) return;
  const table = element("table");
  for (const edge of edges) {
    const row = table.insertRow();
    row.insertCell().append(button(edge.path || "everywhere", () => choose(edge.state), "link"));
    row.insertCell().append(element("span", edge.text));
  }
  byId("state").append(element("h3", title), table);
}

function choose(id) {
  const known = facts.states[id];
  if (!known) return;
  picture.choose(`p0-${id}`);
  const panel = byId("state");
  panel.replaceChildren(element("h2", known.path));
  for (const row of facts.changes) if (row.state === id) panel.append(changeRow(row));
  for (const finding of known.findings) panel.append(sentence(finding, "bad"));
  if (known.source) panel.append(element("pre", known.source));
  neighbours("Comes from", known.from);
  neighbours("Leads to", known.to);
  panel.scrollIntoView({ block: "nearest" });
}

const picture = new Picture(document.querySelector(".picture"), { choose: id => choose(id.replace(/^p0-/, "")) });

slider.addEventListener("input", () => {
  const place = Number(slider.value), style = document.documentElement.style;
  style.setProperty("--old", String(Math.min(1, (100 - place) / 50)));
  style.setProperty("--new", String(Math.min(1, place / 50)));
});
byId("compare").hidden = !facts.isChange;
byId("fit").addEventListener("click", () => picture.fit());
byId("title").textContent = visible(facts.title);
byId("headline").append(...sentence(facts.headline).childNodes);
byId("headline").className = facts.tone;
// What is broken is told first.
const properties = () => section("What must hold", facts.properties, propertyRow);
if (facts.tone === "bad") properties();
section("What has changed", facts.changes, changeRow);
section("What it means", facts.meaning, meaningRow);
if (facts.tone !== "bad") properties();
section("Findings", facts.findings, text => sentence(text));
section("Agents", facts.agents, text => sentence(text));
