// A box above all others that chooses all of them.
const boxes = [...document.querySelectorAll(".agents tbody input[type=checkbox]")];
const head = document.querySelector(".agents thead th");
if (boxes.length > 1 && head) {
  const all = Object.assign(document.createElement("input"), { type: "checkbox" });
  all.setAttribute("aria-label", "Choose all");
  all.addEventListener("change", () => boxes.forEach(box => { box.checked = all.checked; }));
  head.replaceChildren(all);
}
