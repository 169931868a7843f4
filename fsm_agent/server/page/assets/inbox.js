// The inbox stays up to date: what is asked anew is offered, and what somebody else has answered says so in its place.
// Nothing moves while somebody reads or types.
import { localise } from "./page.js";

const list = document.querySelector("#questions");
const news = document.querySelector("#news");
let waiting = [];                       // cards that came since the page was shown
let source = null;

const cards = root => new Map([...root.querySelectorAll("[data-key]")].map(card => [card.dataset.key, card]));

async function refresh() {
  const answer = await fetch(list.dataset.address, { headers: { "X-Live": "1" } });
  if (!answer.ok || answer.redirected) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = fresh.title;
  const shown = cards(document), asked = cards(fresh);
  for (const [key, card] of shown) if (!asked.has(key)) close(card);
  waiting = [...asked.values()].filter(card => !shown.has(card.dataset.key));
  offer();
  const count = fresh.querySelector("#open"), here = document.querySelector("#open");
  if (here) here.textContent = count ? count.textContent : "0";
}

function offer() {
  if (!waiting.length) { news.hidden = true; return; }
  const one = waiting.length === 1;
  const show = Object.assign(document.createElement("button"), { type: "button", textContent: one ? "Show it" : "Show them" });
  show.addEventListener("click", add);
  news.replaceChildren(`${waiting.length} new question${one ? "" : "s"} `, show);
  news.hidden = false;
}

function add() {
  const first = waiting[0];
  if (list.classList.contains("empty")) { list.classList.remove("empty"); list.replaceChildren(); }
  for (const card of waiting) { localise(card); list.prepend(card); }
  waiting = [];
  offer();
  first.querySelector("input:not([type=hidden]), textarea, select, button")?.focus();
}

async function close(card) {
  if (card.classList.contains("closed")) return;
  card.classList.add("closed");
  for (const button of card.querySelectorAll("button")) button.disabled = true;
  for (const field of card.querySelectorAll("input, textarea")) field.readOnly = true;
  const question = card.querySelector("[data-question]").dataset.question;
  const where = new URL(list.dataset.closed, location);
  where.pathname += `/${encodeURIComponent(card.dataset.agent)}/${question}`;
  const told = await fetch(where);
  const became = document.createElement("p");
  became.className = "became";
  became.setAttribute("role", "status");
  became.dir = "auto";
  became.textContent = told.ok && await told.text() || "This is not asked any more.";
  card.append(became);
}

function listen() {
  if (source || document.hidden || !list) return;
  source = new EventSource(list.dataset.live);
  source.addEventListener("changed", refresh);
}

// Browsers open six connections to one server: tabs that nobody sees give theirs back.
document.addEventListener("visibilitychange", () => {
  if (document.hidden) { source?.close(); source = null; return; }
  listen();
  refresh();
});

// A second click while the first is under way would only tell that the question is closed.
document.addEventListener("submit", event => {
  for (const button of event.target.querySelectorAll("button")) setTimeout(() => { button.disabled = true; });
});
window.addEventListener("pageshow", event => {
  if (event.persisted) location.reload();
});

listen();
