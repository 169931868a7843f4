// The page of an agent as steps happen: the server makes every part of it, this puts new parts in the places of old ones.
// Nothing that somebody reads, marks or types in is moved or replaced under their hands.
const { localise } = await import(document.querySelector('script[src*="/page.js"]').src);
const holder = document.querySelector(".agent");
const byId = id => document.getElementById(id);
document.documentElement.classList.add("with-script");

let version = Number(holder.dataset.version), shown = Number(holder.dataset.shown), hasEnded = "ended" in holder.dataset;
const isPast = () => shown !== version;

// Times of steps are short: the day only if it is another one.
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" });
function tidy(root) {
  localise(root);
  for (const time of root.querySelectorAll(".when time, #when time")) {
    const at = new Date(time.dateTime);
    time.title = `${time.dataset.utc}`;
    time.textContent = (at.toDateString() === new Date().toDateString() ? clock : day).format(at);
  }
}

// --- the diagram --------------------------------------------------------------------------------------------------
const nameOf = node => node.id.replace(/--(on|label)$/, "");
const marks = ["touched", "taking", "here"];
// Pixels for a unit of the drawing: of a small one, of one that is too small to read, and of one that can be read.
const LARGEST = 1.2, SMALLEST = 0.5, READABLE = 0.8;
let picture = null;

function button(text, label, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

function setUpPicture() {
  const drawn = document.querySelector(".picture");
  if (!drawn?.querySelector("svg")) return;
  picture = new Picture(drawn, { scrolls: true });
  byId("zoom").replaceChildren(
    button("−", "Smaller", () => picture.enlarge(0.8)), button("+", "Larger", () => picture.enlarge(1.25)),
    button("All", "See all of it", () => picture.fit()), button("Where it is", "", showPlace));
  if (picture.scale > LARGEST) {  // a small drawing is not blown up
    const { x, y } = picture.middle, by = picture.scale / LARGEST, { width, height } = picture.box;
    picture.home = [x - width * by / 2, y - height * by / 2, width * by, height * by];
    picture.fit();
  } else if (picture.scale < SMALLEST) showPlace();
}

function showPlace() {
  const node = picture.svg.querySelector("g.node.here");
  if (node) picture.show(node, Math.max(READABLE, picture.scale));
}

function mark(fresh) {
  const drawn = document.querySelector(".picture"), told = fresh.querySelector(".picture");
  if (!drawn || !told || drawn.dataset.definition !== told.dataset.definition) return false;
  const classes = JSON.parse(told.dataset.marks);
  for (const node of drawn.querySelectorAll("g.node, g.cluster, g.edge")) {
    const mine = (classes[nameOf(node)] ?? "").split(" ");
    for (const each of marks) node.classList.toggle(each, mine.includes(each));
  }
  drawn.querySelector("svg").setAttribute("aria-label", told.dataset.told);
  return true;
}

// --- parts that are put in the places of others ---------------------------------------------------------------------
const selects = part => {
  const selection = getSelection();
  return !selection.isCollapsed && part.contains(selection.anchorNode);
};
const isUsed = part => part.contains(document.activeElement) || selects(part);

function put(fresh, id) {
  const old = byId(id), now = fresh.getElementById(id);
  if (!old || !now || old.outerHTML === now.outerHTML) return;
  const open = new Map([...old.querySelectorAll("details[data-pointer]")].map(each => [each.dataset.pointer, each.open]));
  for (const each of now.querySelectorAll("details[data-pointer]")) {
    if (open.has(each.dataset.pointer)) each.open = open.get(each.dataset.pointer);
  }
  old.replaceWith(document.adoptNode(now));
  tidy(now);
}

// What somebody has typed in, or begun to, stays; the question that they answer may be closed by now.
function putNow(fresh) {
  const card = byId("now"), asked = card.querySelector(".question")?.dataset.question;
  const asksNow = fresh.querySelector("#now .question")?.dataset.question;
  if (asked && asked === asksNow) return;
  const isTyped = [...card.querySelectorAll("form :is(input:not([type=hidden]), textarea, select)")].some(isChanged);
  if (asked && (isTyped || isUsed(card))) {
    closeQuestion(card, asked);
    return;
  }
  card.style.minHeight = `${card.offsetHeight}px`;
  const height = card.style.minHeight;
  put(fresh, "now");
  byId("now").style.minHeight = height;
}

function isChanged(control) {
  if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
  if (control.options) return [...control.options].some(option => option.selected !== option.defaultSelected);
  return control.value !== control.defaultValue;
}

async function closeQuestion(card, question) {
  if (card.querySelector(".closed")) return;
  const told = document.createElement("div"), line = text => {
    const made = Object.assign(document.createElement("p"), { textContent: text, dir: "auto" });
    told.append(made);
    return made;
  };
  told.className = "closed";
  told.setAttribute("role", "alert");
  const why = line("This question is not open any more.");
  line("What you typed stays here, so that you can copy it.");
  const address = Object.assign(document.createElement("a"), { href: location.href, textContent: "Show what it does now" });
  told.append(address);
  card.append(told);
  for (const each of card.querySelectorAll("form button")) each.disabled = true;
  const where = new URL(holder.dataset.closed, location.href);
  where.pathname += `/${question}`;
  const reply = await fetch(where);
  const became = reply.ok ? await reply.text() : "";
  if (became) why.textContent = became;
}

// --- the timeline ---------------------------------------------------------------------------------------------------
let pointed = 0, waiting = [];
byId("timeline")?.addEventListener("pointermove", () => { pointed = Date.now(); });

// Whether rows that move would move under somebody's eyes or hand.
function isRead(list) {
  if (list.getBoundingClientRect().top < 0) return false;
  return isUsed(list) || list.querySelector("details[open]") !== null || Date.now() - pointed < 3000;
}

function addSteps(rows) {
  const list = byId("steps");
  if (!list) return;
  waiting = [...rows, ...waiting];
  if (isRead(list)) {
    sayLive();
    setTimeout(() => { if (waiting.length && !isRead(list)) showSteps(); }, 3000);
  } else showSteps();
}

// New rows above what is read: that stays where it is on the screen.
function showSteps() {
  const list = byId("steps"), top = list.getBoundingClientRect().top;
  const anchor = top < 0 ? [...list.children].find(row => row.getBoundingClientRect().bottom > 0) : null;
  const before = anchor?.getBoundingClientRect().top;
  const known = new Set([...list.children].map(row => row.id));
  const rows = waiting.filter(row => !known.has(row.id));
  waiting = [];
  list.prepend(...rows);
  rows.forEach(tidy);
  if (anchor) scrollBy({ top: anchor.getBoundingClientRect().top - before, behavior: "instant" });
  sayLive();
}

// --- what is said of the connection -----------------------------------------------------------------------------------
let live = "";
function sayLive(words = live) {
  live = words;
  const place = byId("live");
  if (!place) return;
  if (!waiting.length) {
    place.replaceChildren(words);
    return;
  }
  const count = waiting.length === 1 ? "1 new step" : `${waiting.length} new steps`;
  place.replaceChildren(`${words} · `, button(count, "", showSteps));
}

// --- steps as they happen ---------------------------------------------------------------------------------------------
let stream = null, isFetching = false, isStale = false, away = 0, again = 0;

function listen() {
  if (stream || hasEnded || document.hidden || !byId("steps")) return;
  const address = new URL(holder.dataset.stream, location.href);
  address.searchParams.set("after", version);
  stream = new EventSource(address);
  stream.addEventListener("open", () => { away = 0; sayLive("live"); });
  stream.addEventListener("step", refresh);
  stream.addEventListener("forgotten", refresh);
  stream.addEventListener("end", () => { hang(); refresh(); });
  stream.addEventListener("failed", () => { hang(); sayLive("the history cannot be read any more"); });
  stream.addEventListener("error", () => {
    away ||= Date.now();
    if (Date.now() - away > 3000 || stream.readyState === EventSource.CLOSED) sayLive("the server is away; trying again");
    if (stream.readyState !== EventSource.CLOSED) return;
    hang();
    clearTimeout(again);
    again = setTimeout(listen, Math.min(30000, 2000 + Date.now() - away));
  });
}

function hang() {
  stream?.close();
  stream = null;
}

async function fetched(address) {
  const reply = await fetch(address, { headers: { Accept: "text/html" } });
  if (reply.redirected) location.reload();
  return new DOMParser().parseFromString(await reply.text(), "text/html");
}

// What is new since the last look. Steps that come while it is fetched are fetched together after it.
async function refresh() {
  if (isFetching) { isStale = true; return; }
  isFetching = true;
  try {
    do {
      isStale = false;
      const address = new URL(holder.dataset.address, location.href);
      address.searchParams.set("since", version);
      address.searchParams.set("tab", holder.dataset.tab);
      take(await fetched(address));
      await new Promise(done => setTimeout(done, 250));
    } while (isStale);
  } catch {
    sayLive("the server is away; trying again");
  } finally {
    isFetching = false;
  }
}

function take(fresh) {
  const now = fresh.querySelector(".agent");
  if (!now) { location.reload(); return; }
  const known = version, wasPast = isPast();
  version = Number(now.dataset.version);
  hasEnded = "ended" in now.dataset;
  if (version > known) {
    const rows = [...fresh.querySelectorAll("#steps > li")];
    if (rows.length < version - known) { location.reload(); return; }
    put(fresh, "head");
    addSteps(rows.map(row => document.adoptNode(row)));
    announce(now, version - known);
  }
  const slider = byId("at");
  if (wasPast) {
    slider.max = version;
    byId("scrubber").querySelector("output").textContent = `${shown} of ${version}`;
  } else {
    shown = version;
    show(fresh);
  }
  if (hasEnded) sayLive("it has ended");
}

// The parts that belong to one version.
function show(fresh) {
  if (!mark(fresh) && fresh.querySelector(".picture")) { location.reload(); return; }
  putNow(fresh);
  if (!isUsed(byId("scrubber"))) put(fresh, "scrubber");
  else putScrubber(fresh);
  if (!isUsed(byId("panel"))) put(fresh, "tabs");
}

function putScrubber(fresh) {
  const slider = byId("at"), now = fresh.getElementById("at");
  slider.max = now.max;
  slider.value = now.value;
  byId("scrubber").querySelector("output").textContent = fresh.querySelector("#scrubber output").textContent;
  put(fresh, "when");
}

function announce(now, count) {
  const words = count === 1 ? "New step" : `${count} new steps`;
  byId("announcement").textContent = `${words}: now ${now.dataset.standing}`;
}

// --- the past -----------------------------------------------------------------------------------------------------------
let wanted = 0, timer = 0;

async function look(at) {
  const mine = ++wanted, address = new URL(holder.dataset.address, location.href);
  if (at !== version) address.searchParams.set("at", at);
  const place = new URL(address);
  address.searchParams.set("since", version);
  address.searchParams.set("tab", holder.dataset.tab);
  const fresh = await fetched(address);
  if (mine !== wanted || !fresh.querySelector(".agent")) return;
  shown = at;
  if (holder.dataset.tab !== "data") place.searchParams.set("tab", holder.dataset.tab);
  history.replaceState(null, "", place);
  for (const id of ["diagram", "now", "tabs"]) byId(id).classList.toggle("past", isPast());
  const changed = byId("now").querySelector(".closed, form");
  if (isPast() || !changed) put(fresh, "now");
  else putNow(fresh);
  mark(fresh) || location.reload();
  putScrubber(fresh);
  put(fresh, "tabs");
  for (const row of byId("steps")?.children ?? []) {
    if (isPast() && row.id === `step-${at}`) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
  }
}

document.addEventListener("input", event => {
  if (event.target.id !== "at") return;
  const at = Number(event.target.value);
  byId("scrubber").querySelector("output").textContent = `${at.toLocaleString("en")} of ${version.toLocaleString("en")}`;
  byId("when").inert = true;  // it is of another version until that is there
  clearTimeout(timer);
  timer = setTimeout(look, 80, at);
});

const announcement = Object.assign(document.createElement("p"), { id: "announcement", className: "unseen" });
announcement.setAttribute("role", "status");
document.body.append(announcement);
document.addEventListener("visibilitychange", () => { if (document.hidden) hang(); else listen(); });
addEventListener("pagehide", hang);
addEventListener("pageshow", listen);
setUpPicture();
tidy(document);
sayLive(hasEnded ? "it has ended" : "connecting");
listen();
