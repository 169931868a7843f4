// Buttons beside a drawing that is moved and enlarged.
import "./picture.js";

export function button(text, label, act) {
  const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
  if (label) made.setAttribute("aria-label", label);
  made.addEventListener("click", act);
  return made;
}

// The drawing in a part of the page, with buttons for it and with `more` buttons. Without a script all of it is seen.
export function zoomable(holder, ...more) {
  const picture = new Picture(holder, { scrolls: true });
  picture.svg.setAttribute("aria-keyshortcuts", "+ - 0 ArrowLeft ArrowRight ArrowUp ArrowDown");
  document.getElementById("zoom").replaceChildren(
    button("−", "Smaller", () => picture.enlarge(0.8)), button("+", "Larger", () => picture.enlarge(1.25)),
    button("All", "See all of it", () => picture.fit()), ...more);
  return picture;
}
