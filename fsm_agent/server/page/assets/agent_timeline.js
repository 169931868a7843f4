// The timeline: new steps come on top. Rows that somebody reads stay where they are on the screen.
import { byId, isUsed, tidy } from "./agent_parts.js";

// Rows of a list that was open for long; milliseconds since the pointer moved over it.
const MOST = 200, RECENT = 3000;
let pointed = 0, waiting = [], isGap = false, words = "";

export function setUpTimeline() {
  byId("timeline")?.addEventListener("pointermove", () => { pointed = Date.now(); });
}

// Whether rows that move would move under somebody's eyes or hand.
function isRead(list) {
  if (list.getBoundingClientRect().top < 0) return false;
  return isUsed(list) || list.querySelector("details[open]") !== null || Date.now() - pointed < RECENT;
}

// `rows` are the newest first. There is a gap if others before them were not fetched.
export function addSteps(rows, hasGap) {
  const list = byId("steps");
  if (!list?.hasAttribute("data-newest")) return;
  waiting = hasGap ? rows : [...rows, ...waiting];
  isGap ||= hasGap;
  if (isRead(list)) {
    say();
    setTimeout(() => { if (waiting.length && !isRead(list)) showSteps(); }, RECENT);
  } else showSteps();
}

function showSteps() {
  const list = byId("steps"), top = list.getBoundingClientRect().top;
  const anchor = top < 0 ? [...list.children].find(row => row.getBoundingClientRect().bottom > 0) : null;
  const before = anchor?.getBoundingClientRect().top, known = new Set([...list.children].map(row => row.id));
  const rows = waiting.filter(row => !known.has(row.id));
  if (isGap) list.replaceChildren(...rows);
  else list.prepend(...rows);
  rows.forEach(tidy);
  if (anchor?.isConnected) scrollBy({ top: anchor.getBoundingClientRect().top - before, behavior: "instant" });
  if (isGap || (list.children.length > MOST && top >= 0)) shorten(list);
  waiting = [];
  isGap = false;
  say();
}

// The oldest rows go, and are a link away.
function shorten(list) {
  while (list.children.length > MOST) list.lastElementChild.remove();
  const oldest = Number(list.lastElementChild.id.replace("step-", ""));
  if (oldest === 1) return;
  const address = new URL(document.querySelector(".agent").dataset.address, location.href);
  address.searchParams.set("before", oldest);
  address.hash = "timeline";
  byId("older").replaceChildren(Object.assign(document.createElement("a"), { href: address, textContent: "Older steps" }));
}

// What is said of the connection, and of steps that wait to be shown.
export function say(told = words) {
  words = told;
  const place = byId("live");
  if (!place) return;
  if (!waiting.length) { place.replaceChildren(told); return; }
  const count = isGap ? "many new steps" : waiting.length === 1 ? "1 new step" : `${waiting.length} new steps`;
  const show = Object.assign(document.createElement("button"), { type: "button", textContent: count });
  show.addEventListener("click", showSteps);
  place.replaceChildren(`${told} · `, show);
}
