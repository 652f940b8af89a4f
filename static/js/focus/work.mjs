// One image with its boxes: what is decided, what waits, and its place on the page.
import { Boxes } from "./boxes.mjs";
import { Edit } from "./edit.mjs";
import { Stage } from "./stage.mjs";
import { Strip } from "./strip.mjs";

export class Work {
  // on.changed(box), on.select(box), on.drawing()
  constructor(el, on) {
    this.el = el;
    this.data = JSON.parse(el.querySelector("script[type='application/json']").textContent);
    this.image = this.data.image;
    this.boxes = [...this.data.boxes, ...this.data.missed].map((box) => this.plain(box));
    this.on = on;
    this.complete = false;
    this.counted = Boolean(this.data.image.whole); // waits as a whole, for somebody to say that nothing is missing
    this.whole = this.counted || Boolean(this.data.image.asks); // once its boxes are decided, that is asked
  }

  plain(box) {
    const [cx, cy, w, h] = box.box;
    const drawn = box.label === "missed";
    return { scores: [], waits: false, confidence: null, ...box, cx, cy, w, h, drawn, fixed: drawn, before: null, seconds: 0 };
  }

  // Built when it is first shown: the picture has its size then.
  mount() {
    const { image, boxes, on } = this;
    if (!this.stage) {
      this.stage = new Stage(this.el.querySelector(".stage"), image.width, image.height);
      this.marks = new Boxes(this.stage, boxes, image);
      this.edit = new Edit(this.stage, image, {
        changed: (box) => { this.marks.update(box); on.changed(box); },
        select: (x, y) => { const box = this.marks.at(x, y); if (box && box !== this.current) on.select(box); },
        drawing: () => on.drawing(),
      });
      this.strip = new Strip(this.el.querySelector(".strip"), image.crop, boxes, (box) => on.select(box));
    }
    this.stage.start();
    this.stage.fit();
  }

  unmount() { this.stage?.stop(); this.el.remove(); }

  focus(box) {
    this.current = box;
    this.marks.focus(box);
    this.edit.set(box && !box.drawn ? box : null);
    this.strip.focus(box);
    if (box) { this.stage.zoomTo(box); box.shown = performance.now(); }
  }

  update(box) {
    this.marks.update(box);
    this.strip.update(box);
  }

  add(box) {
    this.boxes.push(box);
    this.marks.add(box);
    this.strip.add(box);
  }

  remove(box) {
    this.boxes.splice(this.boxes.indexOf(box), 1);
    if (this.current === box) this.focus(null);
    this.marks.remove(box);
    this.strip.remove(box);
  }

  waiting() { return this.boxes.filter((box) => box.waits); }

  // The next box that waits after the current one, around the end.
  nextWaiting() {
    const at = this.boxes.indexOf(this.current);
    const order = [...this.boxes.slice(at + 1), ...this.boxes.slice(0, at + 1)];
    return order.find((box) => box.waits) ?? null;
  }

  step(by) {
    const { boxes } = this;
    if (!boxes.length) return null;
    const at = boxes.indexOf(this.current);
    return boxes[(at + by + boxes.length) % boxes.length] ?? boxes[0];
  }
}
