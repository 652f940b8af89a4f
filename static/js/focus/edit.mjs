// Moving and resizing the box in question: handles, dragging, arrow keys; and moving the picture itself.
const HANDLES = [
  [-1, -1, "top left corner"], [0, -1, "top edge"], [1, -1, "top right corner"], [1, 0, "right edge"],
  [1, 1, "bottom right corner"], [0, 1, "bottom edge"], [-1, 1, "bottom left corner"], [-1, 0, "left edge"],
];
const LEAST = 1; // pixels of the picture
const SMALL = 56; // screen pixels: below this handles stand outside

export const resized = (box, dx, dy, sx, sy, size) => {
  let left = box.cx - box.w / 2, top = box.cy - box.h / 2, right = left + box.w, bottom = top + box.h;
  const clamp = (v, a, b) => Math.min(b, Math.max(a, v));
  if (sx < 0) left = clamp(left + dx, 0, right - LEAST);
  if (sx > 0) right = clamp(right + dx, left + LEAST, size.width);
  if (sy < 0) top = clamp(top + dy, 0, bottom - LEAST);
  if (sy > 0) bottom = clamp(bottom + dy, top + LEAST, size.height);
  return { cx: (left + right) / 2, cy: (top + bottom) / 2, w: right - left, h: bottom - top };
};

export const moved = (box, dx, dy, size) => ({
  cx: Math.min(Math.max(box.w / 2, size.width - box.w / 2), Math.max(Math.min(box.w / 2, size.width - box.w / 2), box.cx + dx)),
  cy: Math.min(Math.max(box.h / 2, size.height - box.h / 2), Math.max(Math.min(box.h / 2, size.height - box.h / 2), box.cy + dy)),
  w: box.w, h: box.h,
});

export class Edit {
  // on.changed(box): its numbers are new; on.select(x, y): a press without a move.
  constructor(stage, size, on) {
    Object.assign(this, { stage, size, on, box: null, pointers: new Map() });
    this.handles = HANDLES.map(([sx, sy, name]) => {
      const button = document.createElement("button");
      button.className = "pin handle";
      button.type = "button";
      button.tabIndex = -1;
      button.setAttribute("aria-label", `Move the ${name}`);
      button.dataset.cursor = `${sx * sy > 0 ? "nwse" : sx * sy < 0 ? "nesw" : sx ? "ew" : "ns"}`;
      button.addEventListener("pointerdown", (e) => this.grab(e, sx, sy));
      stage.el.append(button);
      return { button, sx, sy };
    });
    stage.listeners.push(() => this.place());
    stage.el.addEventListener("pointerdown", (e) => this.down(e));
    stage.el.addEventListener("pointermove", (e) => this.move(e));
    for (const kind of ["pointerup", "pointercancel"]) stage.el.addEventListener(kind, (e) => this.up(e));
  }

  set(box) {
    this.box = box;
    for (const { button } of this.handles) button.hidden = !box;
    if (box) this.place();
  }

  // Outside of a small box, so that its middle can still be seen and grabbed; without room no handles on the edges.
  place() {
    if (!this.box) return;
    const { k } = this.stage, { cx, cy, w, h } = this.box;
    const out = Math.min(w, h) * k < SMALL ? 10 : 0;
    this.stage.el.toggleAttribute("data-small", out > 0);
    for (const { button, sx, sy } of this.handles) {
      button.hidden = (sx === 0 && w * k < SMALL) || (sy === 0 && h * k < SMALL);
      button.dataset.at = `${cx + (sx * w) / 2},${cy + (sy * h) / 2}`;
      button.dataset.shift = `${sx * out},${sy * out}`;
    }
    this.stage.place(this.handles.map(({ button }) => button));
  }

  change(numbers) {
    const { box } = this;
    if (!box || box.fixed) return;
    box.before ??= { cx: box.cx, cy: box.cy, w: box.w, h: box.h };
    Object.assign(box, numbers);
    this.on.changed(box);
    this.place();
  }

  revert() {
    if (!this.box?.before) return false;
    Object.assign(this.box, this.box.before);
    this.box.before = null;
    this.on.changed(this.box);
    this.place();
    return true;
  }

  nudge(dx, dy, resize) {
    if (!this.box) return;
    const step = Math.max(1, Math.round(1 / this.stage.k));
    this.change(resize ? resized(this.box, dx * step, dy * step, 1, 1, this.size) : moved(this.box, dx * step, dy * step, this.size));
  }

  grab(e, sx, sy) {
    if (this.on.drawing()) return;
    e.stopPropagation();
    e.preventDefault();
    this.begin(e, { kind: "resize", sx, sy });
  }

  begin(e, drag) {
    this.stage.measure();
    this.stage.el.setPointerCapture(e.pointerId);
    this.pointers.set(e.pointerId, [e.clientX, e.clientY]);
    this.drag = { ...drag, x: e.clientX, y: e.clientY, start: this.box && { ...this.box }, went: false };
  }

  down(e) {
    if (e.target.closest(".float") || this.on.drawing() || e.button > 1) return;
    e.preventDefault();
    this.stage.el.focus({ preventScroll: true });
    if (this.pointers.size) { // a second finger: pinch
      this.pointers.set(e.pointerId, [e.clientX, e.clientY]);
      this.stage.el.setPointerCapture(e.pointerId);
      this.drag = { kind: "pinch", ...this.spread() };
      return;
    }
    this.begin(e, this.grip(e));
  }

  // What a press takes hold of: an edge of the box in question, its inside, else the picture.
  grip(e) {
    this.stage.measure();
    const [x, y] = this.stage.toImage(e.clientX, e.clientY);
    const { box } = this, k = this.stage.k;
    if (!box || box.fixed || e.button === 1) return { kind: "pan" };
    const dx = Math.abs(x - box.cx) - box.w / 2, dy = Math.abs(y - box.cy) - box.h / 2;
    const reach = (e.pointerType === "touch" ? 14 : 6) / k;
    const inner = Math.min(reach, Math.min(box.w, box.h) / 4);
    if (dx > reach || dy > reach) return { kind: "pan" };
    const sx = dx > -inner ? Math.sign(x - box.cx) : 0, sy = dy > -inner ? Math.sign(y - box.cy) : 0;
    return sx || sy ? { kind: "resize", sx, sy } : { kind: "move" };
  }

  spread() {
    const [[ax, ay], [bx, by]] = [...this.pointers.values()];
    return { apart: Math.hypot(ax - bx, ay - by), mx: (ax + bx) / 2, my: (ay + by) / 2 };
  }

  move(e) {
    const { drag } = this;
    if (!drag || !this.pointers.has(e.pointerId)) return;
    const [px, py] = this.pointers.get(e.pointerId);
    this.pointers.set(e.pointerId, [e.clientX, e.clientY]);
    if (drag.kind === "pinch") {
      if (this.pointers.size < 2) return;
      const now = this.spread();
      this.stage.pan(now.mx - drag.mx, now.my - drag.my);
      this.stage.zoomAt(now.apart / drag.apart, now.mx - this.stage.left, now.my - this.stage.top);
      Object.assign(drag, now);
      return;
    }
    if (!drag.went && Math.hypot(e.clientX - drag.x, e.clientY - drag.y) < 4) return;
    drag.went = true;
    if (drag.kind === "pan") { this.stage.pan(e.clientX - px, e.clientY - py); return; }
    const dx = (e.clientX - drag.x) / this.stage.k, dy = (e.clientY - drag.y) / this.stage.k;
    this.change(drag.kind === "move" ? moved(drag.start, dx, dy, this.size) : resized(drag.start, dx, dy, drag.sx, drag.sy, this.size));
  }

  up(e) {
    if (!this.pointers.delete(e.pointerId)) return;
    const { drag } = this;
    if (this.pointers.size) return;
    this.drag = null;
    if (drag && !drag.went && drag.kind !== "pinch" && e.type === "pointerup") {
      this.on.select(...this.stage.toImage(e.clientX, e.clientY));
    }
  }
}
