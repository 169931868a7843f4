// A drawing that can be moved, enlarged and asked: with the mouse, with fingers, with keys.
globalThis.Picture = class Picture {
  // `choose` is called with the id of a state that is clicked. A page that `scrolls` keeps the wheel without Ctrl, and one
  // finger as long as all of the drawing is seen.
  constructor(holder, { choose, scrolls = false } = {}) {
    this.svg = holder.querySelector("svg");
    this.box = this.svg.viewBox.baseVal;
    this.home = [this.box.x, this.box.y, this.box.width, this.box.height];
    this.scrolls = scrolls;
    this.pointers = new Map();
    const on = (name, act, options) => this.svg.addEventListener(name, act, options);
    on("wheel", event => this.turn(event), { passive: false });
    on("pointerdown", event => { if (event.button === 0) this.pointers.set(event.pointerId, event); });
    on("pointermove", event => this.move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      on(name, event => this.pointers.delete(event.pointerId));
    }
    on("keydown", event => this.press(event));
    if (choose) for (const node of this.states()) this.offer(node, choose);
  }
  offer(node, choose) {
    node.tabIndex = 0;
    node.setAttribute("role", "button");
    node.addEventListener("click", event => { event.stopPropagation(); choose(node.id); });
    node.addEventListener("keydown", event => { if (event.key === "Enter") choose(node.id); });
  }
  states() { return this.svg.querySelectorAll("g.state"); }
  find(id) { return this.svg.querySelector(`[id="${CSS.escape(id)}"]`); }
  // A point of the window as one of the drawing, and how many pixels one unit of it has.
  point({ clientX, clientY }) {
    return new DOMPoint(clientX, clientY).matrixTransform(this.svg.getScreenCTM().inverse());
  }
  get scale() { return this.svg.getScreenCTM().a; }
  get middle() { return { x: this.box.x + this.box.width / 2, y: this.box.y + this.box.height / 2 }; }
  look(x, y, width, height) {
    Object.assign(this.box, { x, y, width, height });
    this.svg.classList.toggle("enlarged", width < this.home[2] * 0.99);
  }
  fit() { this.look(...this.home); }
  // Enlarged so many times, around a point that stays where it is.
  enlarge(times, at = this.middle) {
    const box = this.box, width = Math.min(Math.max(box.width / times, this.home[2] / 40), this.home[2] * 2);
    const by = width / box.width;
    this.look(at.x - (at.x - box.x) * by, at.y - (at.y - box.y) * by, width, box.height * by);
  }
  // An element in the middle, at so many pixels a unit.
  show(node, scale) {
    const { left, top, width, height } = node.getBoundingClientRect();
    const at = this.point({ clientX: left + width / 2, clientY: top + height / 2 });
    const wide = this.svg.clientWidth / scale, high = this.svg.clientHeight / scale;
    const [x, y, across, down] = this.home;
    const within = (middle, size, first, all) => size > all ? first + (all - size) / 2
      : Math.min(Math.max(middle - size / 2, first), first + all - size);
    this.look(within(at.x, wide, x, across), within(at.y, high, y, down), wide, high);
  }
  turn(event) {
    if (this.scrolls && !event.ctrlKey && !event.metaKey) return;
    event.preventDefault();
    this.enlarge(event.deltaY < 0 ? 1.18 : 0.85, this.point(event));
  }
  move(event) {
    const before = this.pointers.get(event.pointerId);
    if (!before || !event.buttons) return;
    const other = [...this.pointers.values()].find(each => each.pointerId !== event.pointerId);
    const from = this.point(before), to = this.point(event);
    if (other) {
      const still = this.point(other), apart = at => Math.hypot(at.x - still.x, at.y - still.y) || 1;
      this.enlarge(apart(to) / apart(from), still);
    } else {
      this.look(this.box.x - (to.x - from.x), this.box.y - (to.y - from.y), this.box.width, this.box.height);
    }
    this.pointers.set(event.pointerId, event);
  }
  press(event) {
    const { x, y, width, height } = this.box;
    const ways = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.target === this.svg && event.key in ways) {
      const [right, down] = ways[event.key];
      this.look(x + right * width / 8, y + down * height / 8, width, height);
    } else if (event.key === "+" || event.key === "=") this.enlarge(1.25);
    else if (event.key === "-") this.enlarge(0.8);
    else if (event.key === "0") this.fit();
    else return;
    event.preventDefault();
  }
  choose(id) {
    for (const node of this.svg.querySelectorAll(".chosen")) node.classList.remove("chosen");
    this.find(id)?.classList.add("chosen");
  }
};
