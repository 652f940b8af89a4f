// Drawing an object that nobody found: drag a box, or Enter for one in the middle that the arrow keys move.
import { edges, setEdges, svg } from "./boxes.mjs";
import { moved, resized } from "./edit.mjs";

export class Draw {
  // on.drawn(box): a box stands and wants its class. on.state(text): what to do now, empty when drawing is over.
  constructor(on) { Object.assign(this, { on, active: false, box: null }); }

  start(stage, size) {
    if (this.active) this.cancel();
    Object.assign(this, { stage, size, active: true, box: null });
    stage.el.classList.add("drawing");
    this.halo = svg("rect", { class: "frame-halo" }, stage.svg);
    this.line = svg("rect", { class: "frame" }, stage.svg);
    this.line.dataset.v = "missed";
    this.abort = new AbortController();
    const listen = { signal: this.abort.signal };
    stage.el.addEventListener("pointerdown", (e) => this.down(e), { ...listen, capture: true });
    stage.el.addEventListener("pointermove", (e) => this.move(e), listen);
    stage.el.addEventListener("pointerup", (e) => this.up(e), listen);
    stage.el.addEventListener("pointercancel", () => { this.from = null; }, listen);
    stage.el.focus({ preventScroll: true });
    this.on.state("Drag a box around the object. Enter puts one in the middle, Escape ends drawing.");
  }

  cancel() {
    if (!this.active) return false;
    this.active = false;
    this.abort.abort();
    this.halo.remove();
    this.line.remove();
    this.stage.el.classList.remove("drawing");
    this.on.state("");
    return true;
  }

  show(box) {
    this.box = box;
    setEdges(this.halo, box);
    setEdges(this.line, box);
  }

  point(e) {
    const [x, y] = this.stage.toImage(e.clientX, e.clientY);
    return [Math.min(this.size.width, Math.max(0, x)), Math.min(this.size.height, Math.max(0, y))];
  }

  down(e) {
    if (e.target.closest(".float") || e.button) return;
    e.preventDefault();
    e.stopPropagation();
    this.stage.measure();
    this.stage.el.setPointerCapture(e.pointerId);
    this.from = this.point(e);
  }

  move(e) {
    if (!this.from) return;
    const [ax, ay] = this.from, [bx, by] = this.point(e);
    this.show({ cx: (ax + bx) / 2, cy: (ay + by) / 2, w: Math.abs(ax - bx), h: Math.abs(ay - by) });
  }

  up(e) {
    if (!this.from) return;
    this.move(e);
    this.from = null;
    const { w, h } = this.box;
    if (Math.min(w, h) * this.stage.k < 4) { this.box = null; return; } // a slip, not a box
    this.on.drawn({ ...this.box });
  }

  // True where the key was for drawing.
  key(e) {
    if (e.key === "Enter") {
      if (this.box) this.on.drawn({ ...this.box });
      else this.middle();
      return true;
    }
    const way = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[e.key];
    if (!way) return false;
    if (!this.box) this.middle();
    const step = Math.max(1, Math.round(4 / this.stage.k));
    const [dx, dy] = way.map((v) => v * step);
    this.show(e.shiftKey ? resized(this.box, dx, dy, 1, 1, this.size) : moved(this.box, dx, dy, this.size));
    return true;
  }

  middle() {
    const { stage } = this;
    const side = (0.2 * Math.min(stage.w, stage.h)) / stage.k;
    const cx = (stage.w / 2 - stage.x) / stage.k, cy = (stage.h / 2 - stage.y) / stage.k;
    this.show({ cx, cy, w: Math.min(side, this.size.width), h: Math.min(side, this.size.height) });
    const { x, y } = edges(this.box);
    this.show({ ...this.box, cx: Math.max(x, 0) + this.box.w / 2, cy: Math.max(y, 0) + this.box.h / 2 });
    this.on.state("Arrows move it, Shift and arrows resize it, Enter asks for its class.");
  }
}
