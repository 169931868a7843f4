// The diagram of a workflow can be enlarged and moved. Without a script all of it is seen.
const holder = document.querySelector(".diagram");
if (holder?.querySelector("svg")) {
  const picture = new Picture(holder, { scrolls: true });
  const button = (text, label, act) => {
    const made = Object.assign(document.createElement("button"), { type: "button", textContent: text });
    if (label) made.setAttribute("aria-label", label);
    made.addEventListener("click", act);
    return made;
  };
  document.querySelector("#zoom").replaceChildren(
    button("−", "Smaller", () => picture.enlarge(0.8)), button("+", "Larger", () => picture.enlarge(1.25)),
    button("All", "See all of it", () => picture.fit()));
}
