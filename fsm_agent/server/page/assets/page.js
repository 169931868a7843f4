// Everything on the page works without scripts. This one only adds what is pleasant everywhere.
export const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

// Times are written in UTC by the server; who looks at them sees their own, and the other one on hover.
export function localise(root = document) {
  for (const time of root.querySelectorAll("time[datetime]:not([data-utc])")) {
    time.dataset.utc = time.textContent;
    time.title = time.textContent;
    time.textContent = local.format(new Date(time.dateTime));
  }
}
localise();

// How long there is still time, for deadlines; those that are near are marked. The clock of the server counts, unless the
// difference is but the time that the page took.
const ahead = Date.parse(document.documentElement.dataset.now) - Date.now(), skew = Math.abs(ahead) > 30_000 ? ahead : 0;
const units = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"]];
function count() {
  for (const time of document.querySelectorAll("time[data-until]")) {
    const left = new Date(time.dateTime) - Date.now() - skew;
    const [size, unit] = units.find(([size]) => Math.abs(left) >= size) ?? units.at(-1);
    const text = left < 0 ? "overdue" : `${Math.floor(left / size)} ${unit} left`;
    if (time.textContent !== text) time.textContent = text;
    const deadline = time.closest(".deadline");
    deadline?.querySelector(".until")?.remove();
    deadline?.classList.toggle("late", left < 3_600_000);
  }
}
count();
setInterval(count, 1_000);

// A form is sent once it is known that the server is there: otherwise the browser would show a page of its own, and what
// was typed might be lost. A second click while the first is under way would only tell that somebody was faster.
const AWAY = "The server does not answer, and nothing was sent. What you typed stays here: send it again in a while.";
const checked = new WeakSet();

async function isThere() {
  try {
    return ![502, 503, 504].includes((await fetch("/healthz", { cache: "no-store" })).status);
  } catch {
    return false;
  }
}

function turn(form, isOff) {
  for (const button of form.querySelectorAll("button")) button.disabled = isOff;
}

document.addEventListener("submit", async event => {
  const form = event.target, button = event.submitter;
  if (event.defaultPrevented || form.method !== "post") return;
  if (checked.has(form)) { setTimeout(turn, 0, form, true); return; }
  event.preventDefault();
  turn(form, true);
  form.querySelector(":scope > .away")?.remove();
  const known = await isThere();
  turn(form, false);
  if (known) {
    checked.add(form);
    form.requestSubmit(button);
    checked.delete(form);
  } else {
    const told = Object.assign(document.createElement("p"), { className: "away problem", textContent: AWAY });
    told.setAttribute("role", "alert");
    form.append(told);
    button?.focus();
  }
});
window.addEventListener("pageshow", event => {
  if (event.persisted) document.querySelectorAll("form[method=post]").forEach(form => turn(form, false));
});
