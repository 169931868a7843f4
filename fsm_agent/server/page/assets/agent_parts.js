// Parts of a page that the server has made anew, put in the places of old ones. Whoever has the focus keeps it, and what
// was folded or unfolded stays so.
import { localise } from "./page.js";

export const byId = id => document.getElementById(id);

// Times of steps are short: the day only if it is another one.
const clock = new Intl.DateTimeFormat(undefined, { timeStyle: "medium" });
const day = new Intl.DateTimeFormat(undefined, { month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" });

export function tidy(root) {
  localise(root);
  for (const time of root.querySelectorAll(".when time, #when time")) {
    const at = new Date(time.dateTime);
    time.textContent = (at.toDateString() === new Date().toDateString() ? clock : day).format(at);
  }
}

// Whether somebody has the focus in a part, or marks something there.
export function isUsed(part) {
  const selection = getSelection();
  return part.contains(document.activeElement) || (!selection.isCollapsed && part.contains(selection.anchorNode));
}

const nameOf = node => [node.tagName, node.id, node.getAttribute("href"), node.name, node.textContent.trim()].join(" ");

export function put(fresh, id) {
  const old = byId(id), now = fresh.getElementById(id);
  if (!old || !now || old.outerHTML === now.outerHTML) return;
  const open = new Map([...old.querySelectorAll("details[data-pointer]")].map(each => [each.dataset.pointer, each.open]));
  for (const each of now.querySelectorAll("details[data-pointer]")) {
    if (open.has(each.dataset.pointer)) each.open = open.get(each.dataset.pointer);
  }
  const active = old.contains(document.activeElement) ? nameOf(document.activeElement) : null;
  old.replaceWith(document.adoptNode(now));
  tidy(now);
  if (active === null) return;
  const again = [...now.querySelectorAll("a, button, summary, input, textarea")].find(each => nameOf(each) === active);
  (again ?? now).focus({ preventScroll: true });
}

// Whether somebody has typed something that is nowhere else.
export function isTyped(part) {
  return [...part.querySelectorAll("form :is(input:not([type=hidden], [type=range]), textarea:not([readonly]), select)")].some(isChanged);
}

function isChanged(control) {
  if (control.type === "checkbox" || control.type === "radio") return control.checked !== control.defaultChecked;
  if (control.options) return [...control.options].some(option => option.selected !== option.defaultSelected);
  return control.value !== control.defaultValue;
}
