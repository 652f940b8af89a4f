// The view of one picture: a scale and an offset. The picture is moved by a transform, the SVG over it by its viewBox,
// and pins (chips, glyphs, handles), which keep their size, by data-at="x,y" in pixels of the picture.
const MOST = 16; // screen pixels for one of the picture
const NEAR = 5; // the same, where nobody asked to come nearer
const SHARE = 0.36; // of the room, for a box that is brought near

export class Stage {
  constructor(el, width, height) {
    Object.assign(this, { el, width, height, k: 1, x: 0, y: 0, fitted: true, listeners: [] });
    this.img = el.querySelector("img");
    this.svg = el.querySelector("svg");
    this.zoomText = el.querySelector("[data-zoom]");
    this.img.style.width = `${width}px`;
    this.img.style.height = `${height}px`;
    this.observer = new ResizeObserver(() => this.resized());
    this.pointers = new Map();
    el.addEventListener("wheel", (e) => this.wheel(e), { passive: false });
  }

  start() { this.observer.observe(this.el); this.measure(); }

  stop() { this.observer.disconnect(); }

  measure() {
    const r = this.el.getBoundingClientRect();
    this.left = r.left; this.top = r.top; this.w = this.el.clientWidth; this.h = this.el.clientHeight;
  }

  resized() {
    const { w, h } = this;
    this.measure();
    if (w === this.w && h === this.h) return;
    if (this.last) this.zoomTo(this.last); else this.fit();
  }

  get least() { return Math.min(this.w / this.width, this.h / this.height) || 1; }

  fit() {
    this.last = null;
    this.k = this.least;
    this.x = (this.w - this.width * this.k) / 2;
    this.y = (this.h - this.height * this.k) / 2;
    this.apply();
  }

  // A box that is small in the whole picture is brought near, with enough around it to judge it by.
  zoomTo(box, always = false) {
    const { cx, cy, w, h } = box;
    const near = Math.min((this.w * SHARE) / w, (this.h * SHARE) / h, always ? MOST : NEAR);
    if (!always && near < this.least * 1.6) { this.fit(); this.last = box; return; }
    this.k = Math.max(near, this.least);
    this.x = this.w / 2 - cx * this.k;
    this.y = this.h / 2 - cy * this.k;
    this.hold();
    this.apply();
    this.last = box;
  }

  // No empty ground on one side while the picture goes on at the other.
  hold() {
    const side = (offset, room, size) => (size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, offset)));
    this.x = side(this.x, this.w, this.width * this.k);
    this.y = side(this.y, this.h, this.height * this.k);
  }

  zoomAt(factor, px = this.w / 2, py = this.h / 2) {
    const k = Math.min(MOST, Math.max(this.least, this.k * factor));
    this.x = px - ((px - this.x) * k) / this.k;
    this.y = py - ((py - this.y) * k) / this.k;
    this.k = k;
    this.last = null;
    this.hold();
    this.apply();
  }

  pan(dx, dy) { this.x += dx; this.y += dy; this.last = null; this.hold(); this.apply(); }

  wheel(e) {
    e.preventDefault();
    this.measure();
    if (e.shiftKey) { this.pan(-e.deltaY, 0); return; }
    const step = e.deltaMode === 1 ? e.deltaY * 16 : e.deltaY;
    this.zoomAt(Math.exp(-step * (e.ctrlKey ? 0.01 : 0.0018)), e.clientX - this.left, e.clientY - this.top);
  }

  toImage(clientX, clientY) {
    return [(clientX - this.left - this.x) / this.k, (clientY - this.top - this.y) / this.k];
  }

  apply() {
    const { k, x, y, w, h } = this;
    this.img.style.transform = `translate(${x}px,${y}px) scale(${k})`;
    this.img.style.imageRendering = k > 6 ? "pixelated" : "auto";
    this.svg.setAttribute("viewBox", `${-x / k} ${-y / k} ${w / k} ${h / k}`);
    if (this.zoomText) this.zoomText.textContent = `${Math.round(k * 100)}%`;
    for (const listen of this.listeners) listen();
    this.place(this.el.querySelectorAll("[data-at]"));
  }

  place(pins) {
    for (const pin of pins) {
      const [px, py] = pin.dataset.at.split(",").map(Number);
      const [sx, sy] = (pin.dataset.shift ?? "0,0").split(",").map(Number);
      pin.style.translate = `${this.x + px * this.k + sx}px ${this.y + py * this.k + sy}px`;
    }
  }
}
