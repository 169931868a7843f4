// The diagram of an agent: moved and enlarged, and marked anew when the agent moves on.
import { button, zoomable } from "./zoom.js";

// Pixels for a unit of the drawing: of a small one, of one that is too small to read, and of one that can be read.
const LARGEST = 1.2, SMALLEST = 0.5, READABLE = 0.8;
const MARKS = ["touched", "taking", "here"];
let picture = null;

export function setUpPicture() {
  const drawn = document.querySelector(".picture");
  if (!drawn?.querySelector("svg")) return;
  picture = zoomable(drawn, button("Where it is", "", showPlace));
  if (picture.scale > LARGEST) {  // a small drawing is not blown up
    const { x, y } = picture.middle, by = picture.scale / LARGEST, { width, height } = picture.box;
    picture.home = [x - width * by / 2, y - height * by / 2, width * by, height * by];
    picture.fit();
  } else if (picture.scale < SMALLEST) showPlace();
}

function showPlace() {
  const node = picture.svg.querySelector("g.node.here");
  if (node) picture.show(node, Math.max(READABLE, picture.scale));
}

// An edge that crosses a border is drawn in two parts, and its label between them: all have one name.
const nameOf = node => node.id.replace(/--(on|label)$/, "");

// False if it is the diagram of another definition.
export function mark(fresh) {
  const drawn = document.querySelector(".picture"), told = fresh.querySelector(".picture");
  if (!drawn || !told) return true;
  if (drawn.dataset.definition !== told.dataset.definition) return false;
  const classes = JSON.parse(told.dataset.marks);
  for (const node of drawn.querySelectorAll("g.node, g.cluster, g.edge")) {
    const mine = (classes[nameOf(node)] ?? "").split(" ");
    for (const each of MARKS) node.classList.toggle(each, mine.includes(each));
  }
  drawn.querySelector("svg").setAttribute("aria-label", told.dataset.told);
  return true;
}
