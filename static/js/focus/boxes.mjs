// The boxes over the picture: a line and a halo for each, a glyph for its verdict, and the frame of the one in question.
import { icon } from "../toast.mjs";

const NS = "http://www.w3.org/2000/svg";
export const GLYPH = { confirmed: "check", corrected: "change", false_positive: "cross", missed: "missed", undecided: "ring" };
export const WORD = {
  confirmed: "confirmed", corrected: "corrected", false_positive: "not an object", missed: "missed", undecided: "undecided",
};
const CROWD = 40; // above this many, boxes that nobody decided show no glyph

export const svg = (name, attributes, parent) => {
  const el = document.createElementNS(NS, name);
  for (const [key, value] of Object.entries(attributes)) el.setAttribute(key, value);
  parent?.append(el);
  return el;
};

export const edges = ({ cx, cy, w, h }) => ({ x: cx - w / 2, y: cy - h / 2, width: w, height: h });

export const setEdges = (rect, box) => {
  for (const [key, value] of Object.entries(edges(box))) rect.setAttribute(key, value);
};

export const verdictOf = (box) => box.label || "undecided";
export const nameOf = (box) => box.decided?.name ?? box.name;
export const colourOf = (box) => box.decided?.colour ?? box.colour;

export const glyph = (verdict) => {
  const mark = document.createElement("span");
  mark.className = "glyph";
  mark.dataset.v = verdict;
  mark.title = WORD[verdict] ?? verdict;
  mark.append(icon(GLYPH[verdict] ?? "ring"));
  return mark;
};

export class Boxes {
  constructor(stage, boxes, size) {
    Object.assign(this, { stage, boxes, size, marks: new Map() });
    this.layer = svg("g", {}, stage.svg);
    this.frame = svg("g", {}, stage.svg);
    this.dim = svg("path", { class: "dim", "fill-rule": "evenodd" }, this.frame);
    this.halo = svg("rect", { class: "frame-halo" }, this.frame);
    this.line = svg("rect", { class: "frame" }, this.frame);
    this.tag = document.createElement("span");
    this.tag.className = "pin tag";
    this.tag.append(document.createElement("b"), document.createElement("span"));
    stage.el.append(this.tag);
    for (const box of boxes) this.add(box);
    stage.listeners.push(() => this.placeTag());
  }

  add(box) {
    const halo = svg("rect", { class: "bx-halo" }, this.layer);
    const line = svg("rect", { class: "bx" }, this.layer);
    const pin = glyph("undecided");
    pin.classList.add("pin");
    pin.setAttribute("aria-hidden", "true");
    this.stage.el.insertBefore(pin, this.tag);
    this.marks.set(box, { halo, line, pin });
    this.update(box);
  }

  remove(box) {
    const { halo, line, pin } = this.marks.get(box);
    halo.remove(); line.remove(); pin.remove();
    this.marks.delete(box);
  }

  update(box) {
    const { halo, line, pin } = this.marks.get(box);
    const verdict = verdictOf(box);
    setEdges(halo, box);
    setEdges(line, box);
    line.dataset.v = verdict;
    line.classList.toggle("dash", verdict === "undecided");
    if (pin.dataset.v !== verdict) {
      pin.dataset.v = verdict;
      pin.title = WORD[verdict] ?? verdict;
      pin.replaceChildren(icon(GLYPH[verdict] ?? "ring"));
    }
    pin.hidden = box === this.current || (verdict === "undecided" && this.boxes.length > CROWD);
    const { x, y } = edges(box);
    pin.dataset.at = `${x},${y}`;
    pin.dataset.shift = "2,2";
    this.stage.place([pin]);
    if (box === this.current) this.drawFrame(box);
  }

  focus(box) {
    const before = this.current;
    this.current = box;
    if (before && this.marks.has(before)) {
      this.show(before, true);
      this.update(before);
    }
    this.frame.style.display = box ? "" : "none";
    this.tag.hidden = !box;
    if (!box) return;
    this.show(box, false);
    this.update(box);
  }

  show(box, visible) {
    const { halo, line } = this.marks.get(box);
    halo.style.display = line.style.display = visible ? "" : "none";
  }

  drawFrame(box) {
    const { x, y, width, height } = edges(box);
    const { width: W, height: H } = this.size;
    this.dim.setAttribute("d", `M0 0H${W}V${H}H0zM${x} ${y}h${width}v${height}h${-width}z`);
    setEdges(this.halo, box);
    setEdges(this.line, box);
    const [name, number] = this.tag.children;
    name.textContent = nameOf(box);
    number.textContent = box.confidence == null ? "" : box.confidence.toFixed(2);
    this.tag.dataset.class = colourOf(box);
    this.placeTag();
  }

  // Above the box where there is room, else below it, else inside.
  placeTag() {
    if (!this.current || this.tag.hidden) return;
    const { x, y, height } = edges(this.current);
    const { k } = this.stage;
    const top = this.stage.y + y * k, bottom = this.stage.y + (y + height) * k;
    const gap = this.stage.el.dataset.small === undefined ? 6 : 18;
    const left = this.stage.x + x * k;
    const shift = Math.max(4 - left, Math.min(-1, this.stage.w - 8 - this.tag.offsetWidth - left));
    if (top > 26 + gap + 2) { this.tag.dataset.at = `${x},${y}`; this.tag.dataset.shift = `${shift},${-26 - gap}`; }
    else if (bottom < this.stage.h - 34 - gap) { this.tag.dataset.at = `${x},${y + height}`; this.tag.dataset.shift = `${shift},${gap}`; }
    else { this.tag.dataset.at = `${x},${y}`; this.tag.dataset.shift = `${Math.max(shift, 10)},${10 + Math.max(0, -top)}`; }
    this.stage.place([this.tag]);
  }

  // The smallest box under a point of the picture.
  at(px, py) {
    let found = null;
    for (const box of this.boxes) {
      const { x, y, width, height } = edges(box);
      if (px < x || py < y || px > x + width || py > y + height) continue;
      if (!found || width * height < found.w * found.h) found = box;
    }
    return found;
  }
}
