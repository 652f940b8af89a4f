// What stands beside the picture: why the box is here, what it could be, what was saved, how far one is.
import { icon } from "../toast.mjs";
import { GLYPH, nameOf, verdictOf, WORD } from "./boxes.mjs";

const CANDIDATES = 5;
const LOGGED = 4;

const ago = (ms) => {
  const s = Math.round((Date.now() - ms) / 1000);
  return s < 5 ? "just now" : s < 60 ? `${s} s ago` : `${Math.round(s / 60)} min ago`;
};

const left = (s) => (s == null ? "" : s < 60 ? `${Math.max(1, Math.round(s))} s` : s < 5400 ? `${Math.round(s / 60)} min` : `${Math.round(s / 3600)} h`);

export class Panel {
  constructor(root, classes, on) {
    Object.assign(this, { root, classes, on, entries: [] });
    const slot = (name) => root.querySelector(`[data-slot=${name}]`);
    this.slots = Object.fromEntries(["why", "more", "where", "candidates", "log", "confirm", "done", "total", "pace", "left", "bar", "hint"].map((n) => [n, slot(n)]));
    this.decide = [...root.querySelectorAll("[data-decides]")];
    this.slots.candidates.addEventListener("click", (e) => {
      const button = e.target.closest("button");
      if (button) on.pick(button.dataset.name);
    });
    setInterval(() => this.tick(), 5000);
  }

  candidates(box) {
    const rows = new Map([[box.name, { colour: box.colour, score: box.confidence }]]);
    for (const [name, colour, score] of box.scores) if (name !== box.name) rows.set(name, { colour, score });
    const names = [...rows.keys()].slice(0, CANDIDATES);
    for (const one of this.classes.more(names, CANDIDATES - names.length)) {
      names.push(one.name);
      rows.set(one.name, { colour: one.colour, score: null });
    }
    return names.map((name) => ({ name, ...rows.get(name) }));
  }

  // over: nothing waits; whole: the image itself does; any: there are boxes on it
  show(box, where, { over = false, whole = false, any = false } = {}) {
    const { why, more, confirm } = this.slots;
    this.slots.where.textContent = where;
    this.slots.candidates.parentElement.hidden = !box;
    for (const button of this.decide) button.setAttribute("aria-disabled", box ? "false" : "true");
    if (!box) {
      why.textContent = over ? "Nothing waits here" : whole && any ? "Is anything missing?" : whole ? "Nothing was found here" : "No box";
      more.textContent = over ? "Z takes the last verdict back."
        : whole ? "E: nothing else is on this image. N: draw what is missing." : "N draws an object that was missed.";
      this.slots.candidates.replaceChildren();
      confirm.textContent = "Confirm";
      return;
    }
    const verdict = verdictOf(box), word = WORD[verdict] ?? verdict;
    const number = box.confidence == null ? "" : `${box.confidence.toFixed(2)} · `;
    why.textContent = box.label && !box.waits ? number + word : box.reason || number + box.name;
    more.textContent = box.label
      ? `Decided: ${word}${box.label === "false_positive" ? "" : `, ${nameOf(box)}`}. A new verdict takes its place.`
      : `The detector says ${box.name}.`;
    confirm.textContent = box.before ? `Save the moved box, ${nameOf(box)}` : `Confirm ${box.name}`;
    if (box.drawn) {
      confirm.textContent = `Missed ${nameOf(box)}`;
      more.textContent = "Drawn by hand. X takes it away.";
    }
    const chosen = box.label === "false_positive" ? "" : nameOf(box);
    this.slots.candidates.replaceChildren(...this.candidates(box).map((row, i) => this.candidate(row, i + 1, chosen)));
  }

  candidate({ name, colour, score }, number, chosen) {
    const li = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.key = number;
    button.dataset.name = name;
    if (colour) button.dataset.class = colour;
    button.setAttribute("aria-pressed", name === chosen);
    const kbd = document.createElement("kbd");
    kbd.textContent = number;
    const swatch = document.createElement("span");
    swatch.className = "sw";
    const label = document.createElement("span");
    label.className = "cut";
    label.textContent = name;
    button.append(kbd, swatch, label);
    if (score != null) {
      const meter = document.createElement("meter");
      meter.min = 0; meter.max = 1; meter.value = score;
      meter.setAttribute("aria-label", `Score of ${name}`);
      const text = document.createElement("span");
      text.className = "num";
      text.textContent = score.toFixed(2);
      button.append(meter, text);
    }
    li.append(button);
    return li;
  }

  log(label, text, key, at = Date.now()) {
    this.entries.push({ label, text, key, at });
    this.entries.splice(0, this.entries.length - 30);
    this.drawLog();
  }

  unlog(key) {
    this.entries = this.entries.filter((entry) => entry.key !== key);
    this.drawLog();
  }

  drawLog() {
    this.slots.log.replaceChildren(...this.entries.slice(-LOGGED).map((entry) => {
      const li = document.createElement("li");
      li.className = "saved";
      li.dataset.v = entry.label;
      const text = document.createElement("span");
      text.className = "cut";
      text.textContent = entry.text;
      const time = document.createElement("span");
      time.className = "push t3 nowrap";
      time.textContent = ago(entry.at);
      li.append(icon(GLYPH[entry.label] ?? "undo"), text, time);
      return li;
    }));
  }

  tick() {
    const times = this.slots.log.querySelectorAll(".push");
    this.entries.slice(-LOGGED).forEach((entry, i) => { if (times[i]) times[i].textContent = ago(entry.at); });
  }

  progress({ done, total, pace, seconds_left: seconds }) {
    const number = new Intl.NumberFormat("en-GB");
    this.slots.done.textContent = number.format(done);
    this.slots.total.textContent = number.format(total);
    this.slots.bar.max = Math.max(1, total);
    this.slots.bar.value = done;
    if (pace !== undefined) {
      this.slots.pace.textContent = pace ? `${Math.round(pace)} a minute` : "";
      this.slots.left.textContent = left(seconds);
      this.slots.left.parentElement.hidden = seconds == null || !pace;
    }
  }

  hint(text) {
    this.slots.hint.textContent = text;
    this.slots.hint.hidden = !text;
  }

}
