// The inbox stays up to date: what is asked anew is offered, and what somebody else has answered says so in its place.
// Answers are sent from where they stand. Nothing moves while somebody reads or types, and nothing typed is lost.
import { LiveStream } from "./live_stream.js";
import { localise } from "./page.js";

const list = document.querySelector("#questions");
const news = document.querySelector("#news");
let waiting = [];                       // cards that came since the page was shown
let trouble = [];                       // why the page is not up to date

const cards = root => new Map([...root.querySelectorAll("[data-key]")].map(card => [card.dataset.key, card]));
const parsed = text => new DOMParser().parseFromString(text, "text/html");
const made = (tag, properties) => Object.assign(document.createElement(tag), properties);

// --- what happens elsewhere -------------------------------------------------------------------------------------------
// False if there is nothing to look at any more.
async function refresh() {
  let fresh;
  try {
    const answer = await fetch(list.dataset.address);
    if (answer.redirected) {
      warn("You are signed out: this page is not kept up to date. ", made("a", { href: answer.url, textContent: "Sign in" }));
      return false;
    }
    if (!answer.ok) return true;
    fresh = parsed(await answer.text());
  } catch {
    return true;                        // the server is away: the stream looks for it, and asks again
  }
  document.title = fresh.title;
  const shown = cards(document), asked = cards(fresh);
  for (const [key, card] of shown) if (!asked.has(key)) look(card);
  waiting = [...asked.values()].filter(card => !shown.has(card.dataset.key));
  offer();
  const count = fresh.querySelector("#open"), here = document.querySelector("#open");
  if (here) here.textContent = count ? count.textContent : "0";
  const all = fresh.querySelector(".statuses .count"), old = document.querySelector(".statuses .count");
  if (all && old) old.textContent = all.textContent;
  return true;
}

function warn(...words) {
  trouble = words;
  offer();
}

function offer() {
  news.hidden = !trouble.length && !waiting.length;
  if (trouble.length || !waiting.length) { news.replaceChildren(...trouble); return; }
  const one = waiting.length === 1;
  const show = made("button", { type: "button", textContent: one ? "Show it" : "Show them" });
  show.addEventListener("click", add);
  news.replaceChildren(`${waiting.length} new question${one ? "" : "s"} `, show);
}

function add() {
  const first = waiting[0];
  if (list.classList.contains("empty")) { list.classList.remove("empty"); list.replaceChildren(); }
  waiting.forEach(localise);
  list.prepend(...waiting);
  waiting = [];
  offer();
  first.scrollIntoView({ block: "nearest" });
  first.querySelector("input:not([type=hidden]), textarea, select, button:not(.first)")?.focus();
}

// A question that is not on this page any more: closed, or only on the next page.
async function look(card) {
  if (card.matches(".closed, .sent, .sending")) return;
  const where = new URL(list.dataset.closed, location);
  where.pathname += `/${encodeURIComponent(card.dataset.agent)}/${card.querySelector("[data-question]").dataset.question}`;
  try {
    const told = await fetch(where);
    const text = told.ok && !told.redirected ? await told.text() : "";
    if (text && !card.matches(".closed, .sent, .sending")) close(card, text);
  } catch {
    return;                             // the next look tells
  }
}

function close(card, text) {
  card.classList.add("closed");
  for (const button of card.querySelectorAll("button")) button.disabled = true;
  for (const field of card.querySelectorAll("input, textarea")) field.readOnly = true;
  say(card, text);
}

function say(card, text) {
  card.querySelector(".became")?.remove();
  const became = made("p", { className: "became", dir: "auto", tabIndex: -1, textContent: text });
  became.setAttribute("role", "status");
  card.append(became);
  return became;
}

const stream = new LiveStream(() => list.dataset.live, { changed: refresh }, {
  tell: isThere => {
    if (isThere) { warn(); refresh(); } else warn("The server is away; trying again. What you type stays here.");
  },
  retry: refresh,
});

window.addEventListener("pageshow", event => {
  if (event.persisted) location.reload();
});

// --- an answer --------------------------------------------------------------------------------------------------------
const eventOf = form => form.querySelector("input[name=event]")?.value;

list.addEventListener("submit", async event => {
  const form = event.target, card = form.closest("[data-key]");
  if (!card) return;
  const body = new URLSearchParams(new FormData(form, event.submitter));
  event.preventDefault();
  if (card.matches(".sending, .closed, .sent")) return;
  card.classList.add("sending");
  const buttons = [...card.querySelectorAll("button")].filter(button => !button.disabled);
  for (const button of buttons) button.disabled = true;
  try {
    const answer = await fetch(form.action, { method: "POST", body });
    take(card, form, answer, parsed(await answer.text()));
  } catch {
    say(card, "The server does not answer, so nobody knows yet whether your answer was taken. Send it again: it is taken once.");
  } finally {
    card.classList.remove("sending");
    if (!card.matches(".closed")) for (const button of buttons) button.disabled = false;
  }
});

function take(card, form, answer, fresh) {
  const again = cards(fresh).get(card.dataset.key);
  const refused = fresh.querySelector(".refused"), problem = fresh.querySelector("main [role=alert]");
  if (answer.status === 401) {
    say(card, "You are signed out, and your answer was not taken. Sign in on another tab, then send it again.");
  } else if (answer.redirected) {
    done(card, fresh.querySelector(".notice"));
  } else if (again) {
    put(card, form, again);
  } else if (refused && !refused.querySelector("form")) {
    close(card, refused.querySelector(".closed p")?.textContent ?? refused.textContent);
  } else {
    say(card, problem?.textContent || "Your answer was not taken.");
  }
}

// The card keeps its height, so that the next one does not come under a hand that clicks once more.
function done(card, told) {
  card.style.minHeight = `${card.getBoundingClientRect().height}px`;
  card.classList.add("sent");
  card.querySelector(".question")?.remove();
  say(card, told?.textContent || "Your answer was taken.").focus({ preventScroll: true });
}

// Only the form that was sent is made anew: in the others somebody may have typed.
function put(card, form, again) {
  const mine = [...again.querySelectorAll("form")].find(each => eventOf(each) === eventOf(form));
  card.querySelector(".became")?.remove();
  const now = document.adoptNode(mine ?? again), first = now.querySelector("[autofocus]");
  first?.removeAttribute("autofocus");  // it is for a page that begins
  (mine ? form : card).replaceWith(now);
  localise(now);
  first?.focus();
}

stream.open();
