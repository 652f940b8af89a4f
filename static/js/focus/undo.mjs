// Taking decisions back, mixed into the page's controller.
import { say } from "../toast.mjs";
import { newKey } from "./outbox.mjs";

export const takingBack = {
  undo() {
    if (this.stopDrawing()) return;
    const entry = this.history.pop();
    if (!entry) { say("Nothing to undo.", { key: "undo" }); return; }
    this.panel.unlog(entry.key ?? entry.annotation);
    if (!entry.work) { this.undoOlder(entry); return; }
    this.sendUndo(entry.key, null, entry.work.image.id, entry.box.id);
    if (this.work !== entry.work) {
      if (this.work) this.ahead.putBack(this.work.el);
      this.show(entry.work.el);
    }
    if (entry.added) { entry.work.remove(entry.box); if (!this.box) this.focus(entry.work.waiting()[0] ?? null); return; }
    if (entry.before.waits) this.count(-1);
    Object.assign(entry.box, entry.before, { before: null });
    entry.work.update(entry.box);
    this.focus(entry.box);
  },

  sendUndo(key, annotation, image, detection) {
    if (key && this.outbox.withdraw(key)) return;
    this.outbox.push({ key: newKey(), url: this.urls.undo, body: { key, annotation_id: annotation }, image, detection });
  },

  // A decision of an earlier visit: its image comes from the server, after the decision is taken back.
  undoOlder(entry) {
    this.reopen = entry.image;
    this.outbox.push({ key: newKey(), url: this.urls.undo, body: { annotation_id: entry.annotation }, image: entry.image });
  },
};
