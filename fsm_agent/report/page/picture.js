"use strict";
// What every page shares: text that is never markup, and pictures that can be moved, enlarged and asked.
const facts = JSON.parse(document.getElementById("facts").textContent);
const byId = id => document.getElementById(id);

// Marks that change the direction of a text, and other invisible ones, are shown by their numbers.
const visible = text => String(text).replace(
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
  mark => `\u27e8U+${mark.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e9`);

const element = (tag, text, className) => {
  const made = document.createElement(tag);
  if (text !== undefined) made.textContent = visible(text);
  if (className) made.className = className;
  return made;
};

const button = (text, press, className) => {
  const made = element("button", text, className);
  made.type = "button";
  made.addEventListener("click", press);
  return made;
};

class Picture {
  // The drawing inside `holder`; `choose` is called with the id of a state that is clicked.
  constructor(holder, choose) {
    this.svg = holder.querySelector("svg");
    this.box = this.svg.viewBox.baseVal;
    this.home = [this.box.x, this.box.y, this.box.width, this.box.height];
    this.drag = null;
    this.svg.addEventListener("wheel", event => this.zoom(event), { passive: false });
    this.svg.addEventListener("pointerdown", event => { this.drag = this.point(event); });
    this.svg.addEventListener("pointermove", event => this.move(event));
    for (const node of this.states()) {
      node.tabIndex = 0;
      node.setAttribute("role", "button");
      node.addEventListener("click", event => { event.stopPropagation(); choose(node.id); });
      node.addEventListener("keydown", event => { if (event.key === "Enter") choose(node.id); });
    }
  }
  states() { return this.svg.querySelectorAll("g.state"); }
  find(id) { return this.svg.querySelector(`[id="${CSS.escape(id)}"]`); }
  point(event) {
    const point = new DOMPoint(event.clientX, event.clientY);
    return point.matrixTransform(this.svg.getScreenCTM().inverse());
  }
  look(x, y, width, height) { Object.assign(this.box, { x, y, width, height }); }
  fit() { this.look(...this.home); }
  zoom(event) {
    event.preventDefault();
    const at = this.point(event), by = event.deltaY < 0 ? 0.85 : 1.18, box = this.box;
    this.look(at.x - (at.x - box.x) * by, at.y - (at.y - box.y) * by, box.width * by, box.height * by);
  }
  move(event) {
    if (!this.drag || !event.buttons) return;
    const at = this.point(event);
    this.look(this.box.x - (at.x - this.drag.x), this.box.y - (at.y - this.drag.y), this.box.width, this.box.height);
  }
  choose(id) {
    for (const node of this.svg.querySelectorAll(".chosen")) node.classList.remove("chosen");
    this.find(id)?.classList.add("chosen");
  }
}
