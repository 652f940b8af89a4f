// Focus mode: one box after another, decided by one key each. The page never waits for the server.
import { say, unsay } from "../toast.mjs";
import { Ahead } from "./ahead.mjs";
import { answers } from "./answers.mjs";
import { nameOf } from "./boxes.mjs";
import { Classes } from "./classes.mjs";
import { Draw } from "./draw.mjs";
import { bindKeys } from "./keys.mjs";
import { newKey, Outbox } from "./outbox.mjs";
import { Panel } from "./panel.mjs";
import { takingBack } from "./undo.mjs";
import { Work } from "./work.mjs";

const KEPT = 12; // images that undo can come back to without asking the server
const LOOKS = new Set(["near", "in", "out"]);
const asBox = ({ cx, cy, w, h }) => [cx, cy, w, h];

class Focus {
  constructor(root) {
    this.root = root;
    this.urls = root.dataset;
    this.csrf = document.querySelector("meta[name=csrf]").content;
    this.sitting = JSON.parse(document.getElementById("sitting").textContent);
    this.progress = { ...this.sitting.progress };
    this.classes = new Classes(document.getElementById("classes"), this.sitting.classes);
    this.panel = new Panel(root, this.classes, { pick: (name) => this.pick(name) });
    this.history = [];
    this.works = new Map();
    this.draw = new Draw({ drawn: (box) => this.drawn(box), state: (text) => this.panel.hint(text) });
    this.outbox = new Outbox(`${this.urls.queue}.${this.urls.user}`, this.csrf, {
      done: (item, answer) => this.saved(item, answer),
      stale: (item, error) => this.stale(item, error),
      refused: (item, error) => this.refused(item, error),
      trouble: (count, reason) => this.trouble(count, reason),
      calm: () => { unsay("outbox"); this.ahead.fill(); },
      empty: () => this.emptied(),
    });
    this.ahead = new Ahead({
      holder: document.getElementById("ahead"), url: this.urls.next, leaseUrl: this.urls.lease, csrf: this.csrf,
      busy: () => ({ held: this.work ? [this.work.el.dataset.image] : [], unsaved: [...this.outbox.images()] }),
      on: { changed: () => this.showAhead(), lost: (images) => this.lost(images) },
    });
    this.bind();
    for (const entry of this.sitting.recent) {
      this.panel.log(entry.label, entry.text, entry.annotation_id, entry.at);
      this.history.push({ annotation: entry.annotation_id, image: entry.image });
    }
    this.panel.progress(this.progress);
    this.asked = this.remembered();
    this.show(root.querySelector(".work"));
    this.outbox.run();
  }

  bind() {
    const actions = {
      confirm: () => this.confirm(), correct: () => this.correct(), reject: () => this.reject(), missed: () => this.startDrawing(),
      undo: () => this.undo(), skip: () => this.skip(), complete: () => this.declare(),
      near: () => this.box && this.work.stage.zoomTo(this.box, true), in: () => this.zoom(1.25), out: () => this.zoom(0.8),
    };
    this.root.addEventListener("click", (e) => {
      const button = e.target.closest("[data-does]");
      if (!button || (!this.work && button.dataset.does !== "undo")) return;
      // Enter or Escape ends drawing first; and while the next image is on its way there is no box to decide.
      if ((this.draw.active || this.fetching) && !LOOKS.has(button.dataset.does) && button.dataset.does !== "undo") return;
      if (button.getAttribute("aria-disabled") !== "true") actions[button.dataset.does]?.();
      if (e.detail && this.work) this.work.stage.el.focus({ preventScroll: true }); // a click leaves the keys with the picture
    });
    bindKeys(this);
  }

  get box() { return this.work?.current ?? null; }

  // ---- which image, which box
  show(el) {
    this.draw.cancel();
    const before = this.root.querySelector(".work");
    this.work?.stage?.stop();
    if (before !== el) before ? before.replaceWith(el) : this.root.insertBefore(el, this.root.querySelector(".side"));
    const over = el.dataset.empty !== undefined;
    for (const does of ["missed", "skip"]) this.root.querySelector(`[data-does=${does}]`).setAttribute("aria-disabled", over);
    if (over) { this.work = null; this.remember(null); this.panel.show(null, "", { over: true }); this.panel.hint(""); return; }
    const id = Number(el.dataset.image);
    const on = {
      changed: (box) => this.tell(box), select: (box) => this.focus(box), drawing: () => this.draw.active,
    };
    const known = this.works.get(id);
    this.work = known?.el === el ? known : new Work(el, on);
    this.works.delete(id);
    this.works.set(id, this.work);
    for (const old of [...this.works.keys()].slice(0, -KEPT)) this.works.delete(old);
    this.work.mount();
    this.showAhead();
    this.markComplete();
    this.focus(this.work.waiting()[0] ?? (this.work.whole ? null : this.work.boxes[0]) ?? null);
    this.work.stage.el.focus({ preventScroll: true });
    this.ahead.fill();
  }

  showAhead() { this.work?.strip?.showNext(this.ahead.ready); }

  focus(box) {
    this.leaveBox();
    this.work.focus(box);
    if (!box && this.work.whole) this.work.stage.fit(); // what is missing may lie anywhere on the picture
    this.tell(box);
  }

  tell(box) {
    const { work } = this, asks = work.whole && !work.waiting().length;
    this.panel.show(box, work.image.name, { whole: work.whole, any: work.boxes.length > 0 });
    const button = work.el.querySelector("[data-does=complete]").classList;
    button.toggle("primary", asks);
    button.toggle("quiet", !asks);
    this.remember(asks && !work.counted ? work.image.id : null);
  }

  leaveBox() { // a box that was moved and not saved goes back
    if (this.box?.before) this.work.edit.revert();
  }

  advance() {
    const next = this.work.nextWaiting();
    if (next) this.focus(next);
    else if (this.work.whole && !this.work.complete) this.focus(null); // the image itself is still to be judged
    else this.nextImage();
  }

  async nextImage() {
    const { work } = this;
    if (work.complete && !work.declared) this.sendComplete(work);
    const ready = this.ahead.takeReady();
    if (ready) { this.show(ready); return; }
    this.panel.hint("Fetching the next image");
    this.fetching = true;
    const el = await this.ahead.take().finally(() => { this.fetching = false; });
    if (this.work !== work) { this.ahead.putBack(el); return; }
    this.panel.hint("");
    if (el) this.show(el);
    else say("The next image did not come: the server did not answer.", { bad: true, key: "next", action: ["Try again", () => { unsay("next"); this.nextImage(); }] });
  }

  // ---- verdicts
  confirm() {
    const { box } = this;
    if (!box) return;
    if (box.drawn) { this.advance(); return; }
    if (box.before) this.decide("corrected", nameOf(box));
    else this.decide("confirmed", box.name);
  }

  pick(name) {
    const { box } = this;
    if (!box || box.drawn || this.draw.active || this.fetching) return;
    if (name === box.name && !box.before) this.decide("confirmed", name);
    else this.decide("corrected", name);
  }

  async correct() {
    const { box, work } = this;
    if (!box || box.drawn) return;
    const name = await this.classes.ask("Change class", nameOf(box));
    if (name && this.box === box && this.work === work) this.pick(name);
    work.stage.el.focus({ preventScroll: true });
  }

  reject() {
    const { box } = this;
    if (!box) return;
    if (box.drawn) { this.takeAway(box); return; }
    if (box.before) this.work.edit.revert();
    this.decide("false_positive", "");
  }

  decide(label, name) {
    const { box, work } = this;
    const key = newKey();
    const before = { label: box.label, decided: box.decided, waits: box.waits, ...(box.before ?? { cx: box.cx, cy: box.cy, w: box.w, h: box.h }) };
    const body = {
      key, label, detection_id: box.id, class_name: name || null, box: box.before ? asBox(box) : null, revision: box.revision,
      seconds: (performance.now() - box.shown) / 1000, execution: this.sitting.execution,
    };
    if (box.waits) this.count(1);
    Object.assign(box, { label, waits: false, before: null, decided: name ? { name, colour: this.classes.colour(name) || box.colour } : null });
    work.update(box);
    const words = { confirmed: `Confirmed ${name}`, corrected: name === box.name ? `Moved ${name}` : `Corrected ${box.name} to ${name}`, false_positive: `Rejected ${box.name}` };
    this.done(key, label, words[label], { work, box, before });
    this.outbox.push({ key, url: this.urls.verdict, body, image: work.image.id, detection: box.id });
    this.advance();
  }

  done(key, label, text, entry) {
    this.history.push({ key, ...entry });
    this.panel.log(label, text, key);
  }

  count(by) {
    this.progress.done += by;
    this.panel.progress({ ...this.progress, pace: undefined });
  }

  // ---- missed objects
  startDrawing() {
    if (this.draw.active) return;
    this.leaveBox();
    this.work.stage.fit(); // what was missed may lie anywhere on the picture
    this.draw.start(this.work.stage, this.work.image);
    this.work.marks.focus(null);
    this.work.edit.set(null);
  }

  stopDrawing() {
    if (!this.draw.cancel()) return false;
    this.work.focus(this.box);
    return true;
  }

  async drawn(numbers) {
    const { work } = this;
    const name = await this.classes.ask("What was missed?");
    if (this.work !== work) return;
    const box = this.box;
    this.draw.cancel();
    if (name) this.addMissed(name, numbers);
    this.work.marks.focus(box);
    this.work.edit.set(box && !box.drawn ? box : null);
    work.stage.el.focus({ preventScroll: true });
  }

  addMissed(name, numbers) {
    const { work } = this;
    const key = newKey();
    const colour = this.classes.colour(name) || 0;
    const box = work.plain({ id: null, name, colour, label: "missed", decided: { name, colour }, box: asBox(numbers), key });
    work.add(box);
    this.done(key, "missed", `Added ${name}`, { work, box, added: true });
    const body = { key, label: "missed", image_id: work.image.id, class_name: name, box: asBox(numbers), execution: this.sitting.execution };
    this.outbox.push({ key, url: this.urls.verdict, body, image: work.image.id });
  }

  takeAway(box) {
    const { work } = this;
    const next = work.step(1);
    work.remove(box);
    this.history = this.history.filter((entry) => entry.box !== box);
    this.sendUndo(box.key, box.annotation, work.image.id);
    this.panel.log("undecided", `Took ${nameOf(box)} away`, newKey());
    this.focus(next === box ? null : next);
  }

  // ---- skipping, completing
  skip() {
    const { work } = this;
    if (!work) return;
    this.leaveBox();
    const next = work.boxes.slice(work.boxes.indexOf(this.box) + 1).find((box) => box.waits);
    if (next) { this.focus(next); return; }
    if (work.whole || work.waiting().length) this.outbox.push({ key: newKey(), url: this.urls.skip, body: { image_id: work.image.id }, image: work.image.id });
    this.nextImage();
  }

  declare() {
    const { work } = this;
    if (work.declared || (work.whole && this.draw.active)) return;
    if (work.whole && !work.waiting().length) { this.tickOff(work); return; }
    work.complete = !work.complete;
    this.markComplete();
    if (work.complete && !work.waiting().length) this.sendComplete(work);
  }

  // An image that is asked about as a whole: said to miss nothing, it is done.
  tickOff(work) {
    work.whole = false;
    work.complete = true;
    if (work.counted) this.count(1);
    this.panel.log("confirmed", "Nothing is missing", newKey());
    this.sendComplete(work);
    this.nextImage();
  }

  sendComplete(work) {
    work.declared = true;
    this.outbox.push({ key: newKey(), url: this.urls.complete, body: { image_id: work.image.id }, image: work.image.id });
  }

  markComplete() { this.work.el.querySelector("[data-does=complete]")?.setAttribute("aria-pressed", this.work.complete); }

  // ---- keys
  step(by) { if (this.work && !this.draw.active) { const box = this.work.step(by); if (box) this.focus(box); } }
  nudge(dx, dy, resize) { this.work?.edit.nudge(dx, dy, resize); }
  escape() { return this.stopDrawing() || Boolean(this.work?.edit.revert()); }
  whole() { this.work?.stage.fit(); }
  zoom(factor) { this.work?.stage.zoomAt(factor); }
  bare(on) { this.work?.stage.el.classList.toggle("bare", on); }
}

Object.assign(Focus.prototype, answers, takingBack);

const root = document.getElementById("focus");
if (root) window.mixcvFocus = new Focus(root);
