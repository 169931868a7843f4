// The page of an agent as steps happen: the server makes every part of it, this puts new parts in the places of old ones.
// Nothing that somebody reads, marks or types in is moved or replaced under their hands.
import { byId, isTyped, isUsed, put, tidy } from "./agent_parts.js";
import { mark, setUpPicture } from "./agent_diagram.js";
import { addSteps, say, setUpTimeline } from "./agent_timeline.js";
import { LiveStream } from "./live_stream.js";

const holder = document.querySelector(".agent"), AWAY = "the server is away; trying again";
let version = Number(holder.dataset.version), shown = Number(holder.dataset.shown), hasEnded = "ended" in holder.dataset;
const isPast = () => shown !== version;
const counted = number => number.toLocaleString("en");

// The page, or its parts that changed since the last look.
async function fetched(address) {
  address.searchParams.set("since", version);
  if (holder.dataset.tab !== "data") address.searchParams.set("tab", holder.dataset.tab);
  const reply = await fetch(address);
  const fresh = new DOMParser().parseFromString(await reply.text(), "text/html");
  if (reply.redirected || !fresh.querySelector(".agent")) begin();
  return fresh;
}

// It is another page by now: of another definition, of nobody, or one to sign in.
function begin() {
  isOver = true;
  if (isTyped(document)) say("this page is out of date; load it again when you are done");
  else location.reload();
}

// --- what it does now -----------------------------------------------------------------------------------------------
// What somebody has typed, or begun to, stays; the question that they answer may be closed by now.
function putNow(fresh) {
  const card = byId("now"), asked = card.querySelector(".question")?.dataset.question;
  if (asked && asked === fresh.querySelector("#now .question")?.dataset.question) return;
  if (asked && (isTyped(card) || isUsed(card))) { closeQuestion(card, asked); return; }
  const height = `${card.offsetHeight}px`;
  put(fresh, "now");
  byId("now").style.minHeight = height;  // what is below does not move up
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
  told.append(Object.assign(document.createElement("a"), { href: location.href, textContent: "Show what it does now" }));
  card.append(told);
  for (const each of card.querySelectorAll("form button")) each.disabled = true;
  const where = new URL(holder.dataset.closed, location.href);
  where.pathname += `/${question}`;
  const reply = await fetch(where), became = reply.ok ? await reply.text() : "";
  if (became) why.textContent = became;
}

// --- steps as they happen ---------------------------------------------------------------------------------------------
let isFetching = false, isStale = false, isOver = false;

const stream = new LiveStream(address, {
  step: refresh,
  forgotten: refresh,
  retry: refresh,
  end: () => { stream.close(); refresh(); },
  failed: () => { stream.close(); say("the history cannot be read any more"); },
}, { tell: isThere => say(isThere ? "live" : AWAY), retry: async () => { await refresh(); return !isOver; } });

function address() {
  if (hasEnded || !byId("steps")) return null;
  const wanted = new URL(holder.dataset.stream, location.href);
  wanted.searchParams.set("after", version);
  return wanted;
}

// What is new since the last look. Steps that come while it is fetched are fetched together after it.
async function refresh() {
  if (isFetching) { isStale = true; return; }
  isFetching = true;
  try {
    do {
      isStale = false;
      take(await fetched(new URL(holder.dataset.address, location.href)));
      await new Promise(done => setTimeout(done, 250));
    } while (isStale);
  } catch {
    say(AWAY);
  } finally {
    isFetching = false;
  }
}

function take(fresh) {
  const now = fresh.querySelector(".agent");
  if (!now) return;
  const known = version, wasPast = isPast();
  version = Number(now.dataset.version);
  hasEnded = "ended" in now.dataset;
  if (version > known) {
    const rows = [...fresh.querySelectorAll("#steps > li")];
    put(fresh, "head");
    addSteps(rows.map(row => document.adoptNode(row)), rows.length < version - known);
    announce(now, version - known);
  }
  const open = fresh.getElementById("open");
  if (open && byId("open")) byId("open").textContent = open.textContent;
  if (wasPast) {
    byId("at").max = version;
    tell(shown);
  } else {
    shown = version;
    show(fresh);
  }
  if (hasEnded) say("it has ended");
}

// The parts that belong to one version.
function show(fresh) {
  if (!mark(fresh)) { begin(); return; }
  putNow(fresh);
  putScrubber(fresh);
  if (!isUsed(byId("panel"))) put(fresh, "tabs");
}

function putScrubber(fresh) {
  const slider = byId("at"), now = fresh.getElementById("at");
  Object.assign(slider, { max: now.max, value: now.value });
  tell(shown);
  for (const id of ["earlier", "later", "when"]) put(fresh, id);
}

function tell(at) {
  byId("scrubber").querySelector("output").textContent = `${counted(at)} of ${counted(version)}`;
}

function announce(now, count) {
  const words = count === 1 ? "New step" : `${count} new steps`;
  byId("announcement").textContent = `${words}: now ${now.dataset.standing}`;
}

// --- the past -----------------------------------------------------------------------------------------------------------
let wanted = 0, timer = 0;

async function look(at) {
  const mine = ++wanted, place = new URL(holder.dataset.address, location.href);
  if (at !== version) place.searchParams.set("at", at);
  let fresh;
  try {
    fresh = await fetched(new URL(place));
  } catch {
    say(AWAY);
    return;
  }
  if (mine !== wanted || !fresh.querySelector(".agent")) return;
  shown = at;
  if (holder.dataset.tab !== "data") place.searchParams.set("tab", holder.dataset.tab);
  history.replaceState(null, "", place);
  for (const id of ["diagram", "now", "tabs"]) byId(id).classList.toggle("past", isPast());
  show(fresh);
  for (const row of byId("steps")?.children ?? []) {
    if (isPast() && row.id === `step-${at}`) row.setAttribute("aria-current", "step");
    else row.removeAttribute("aria-current");
  }
}

document.addEventListener("input", event => {
  if (event.target.id !== "at") return;
  const at = Number(event.target.value);
  tell(at);
  byId("when").inert = true;  // it is of another version until that is there
  clearTimeout(timer);
  timer = setTimeout(look, 80, at);
});

document.addEventListener("click", event => {
  const way = event.target.closest("#scrubber a[data-at]");
  if (!way || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
  event.preventDefault();
  look(way.textContent === "Back to now" ? version : Number(way.dataset.at));
});

const announcement = Object.assign(document.createElement("p"), { id: "announcement", className: "unseen" });
announcement.setAttribute("role", "status");
document.body.append(announcement);
document.documentElement.classList.add("with-script");
setUpPicture();
setUpTimeline();
tidy(document);
say(hasEnded ? "it has ended" : "connecting");
stream.open();
