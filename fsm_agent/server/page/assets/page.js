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
