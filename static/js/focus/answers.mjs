// What the server says to the verdicts that were sent, mixed into the page's controller.
import { say, unsay } from "../toast.mjs";

export const answers = {
  saved(item, answer) {
    if (answer.class_name) this.classes.learn(answer.class_name, answer.colour);
    const box = this.find(item);
    if (box) {
      if (answer.revision !== undefined && answer.revision !== null) box.revision = answer.revision;
      if (answer.annotation_id) box.annotation = answer.annotation_id;
      if (box.decided && box.decided.name === answer.class_name && box.decided.colour !== answer.colour) {
        box.decided.colour = answer.colour;
        if (this.works.get(item.image) === this.work) this.work.update(box);
      }
    }
    if (answer.progress && !this.outbox.items.length) {
      this.progress = answer.progress;
      this.panel.progress(answer.progress);
    }
    if (item.url === this.urls.verdict) this.letGo(item.image);
    if (this.reopen === item.image && item.url === this.urls.undo) this.openImage(item.image);
  },

  // An image that is done and saved is free for other queues at once.
  letGo(image) {
    const held = this.ahead.held().includes(String(image)) || this.outbox.images().has(image);
    if (!held && !this.works.get(image)?.waiting().length) this.ahead.release([image]);
  },

  find(item) {
    const boxes = this.works.get(item.image)?.boxes ?? [];
    return item.detection ? boxes.find((box) => box.id === item.detection) : boxes.find((box) => box.key === item.key);
  },

  async openImage(image) {
    this.reopen = null;
    const el = await this.ahead.get(`${this.urls.next}?image=${image}`);
    if (!el || el.dataset.empty !== undefined) return;
    this.works.delete(Number(image));
    if (this.work && this.work.image.id !== image) this.ahead.putBack(this.work.el);
    this.show(el);
  },

  // An image whose boxes are all decided waits no more: after a reload only this page knows that it was being asked about.
  remember(image) {
    try {
      const key = `mixcv.asks.${this.urls.queue}`;
      if (image) sessionStorage.setItem(key, image);
      else sessionStorage.removeItem(key);
    } catch { /* a closed store: the question is lost with a reload */ }
  },

  remembered() {
    try { return Number(sessionStorage.getItem(`mixcv.asks.${this.urls.queue}`)); } catch { return 0; }
  },

  async askAgain(image) {
    while (this.ahead.loading) await this.ahead.loading; // one fragment at a time
    if (!this.ahead.held().includes(String(image))) this.openImage(image);
  },

  stale(item, error) {
    say(error.message ?? "Somebody else decided this box meanwhile. Your verdict was not saved.", { bad: true, key: "stale" });
    this.back(item, error.details?.now);
  },

  refused(item, error) {
    say(`Not saved: ${error.message ?? "the server refused it."}`, { bad: true, key: "refused" });
    this.back(item, null);
  },

  // Returns to the box of a verdict that was not saved, as the server has it now.
  back(item, now) {
    this.panel.unlog(item.key);
    const entry = this.history.find((one) => one.key === item.key);
    this.history = this.history.filter((one) => one.key !== item.key && !(item.detection && one.box?.id === item.detection));
    if (!entry) return;
    const { work, box } = entry;
    if (entry.added) { if (work.boxes.includes(box)) work.remove(box); return; }
    Object.assign(box, entry.before, { before: null }, now ?? {});
    if (entry.before.waits && box.waits) this.count(-1);
    if (this.work !== work) {
      if (this.work) this.ahead.putBack(this.work.el);
      this.show(work.el);
    }
    work.update(box);
    this.focus(box);
  },

  trouble(count, reason) {
    const kept = count === 1 ? "Your verdict is kept here." : `Your ${count} verdicts are kept here.`;
    say(`Not saved: ${reason}. ${kept}`, { bad: true, key: "outbox", action: ["Try again", () => this.outbox.now()] });
  },

  emptied() {
    unsay("outbox");
    if (this.asked) { this.askAgain(this.asked); this.asked = 0; }
    if (!this.work && this.ahead.over) { this.ahead.again(); this.ahead.take().then((el) => el && !this.work && this.show(el)); }
  },

  lost(images) {
    if (!this.work || !images.includes(this.work.image.id)) return;
    say("Somebody else has this image open now. Your saved verdicts stay.", { bad: true, key: "lease" });
    this.nextImage();
  },
};
