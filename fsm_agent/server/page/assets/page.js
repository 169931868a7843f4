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

// How long there is still time, for deadlines; those that are near are marked.
const units = [[86_400_000, "d"], [3_600_000, "h"], [60_000, "min"], [1_000, "s"]];
function count() {
  for (const time of document.querySelectorAll("time[data-until]")) {
    const left = new Date(time.dateTime) - Date.now();
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

// A second click while the first is under way would only tell that somebody was faster.
document.addEventListener("submit", event => {
  if (event.defaultPrevented || event.target.method !== "post") return;
  setTimeout(() => { for (const button of event.target.querySelectorAll("button")) button.disabled = true; });
});
window.addEventListener("pageshow", event => {
  if (event.persisted) for (const button of document.querySelectorAll("form[method=post] button")) button.disabled = false;
});
