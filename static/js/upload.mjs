// Many files and whole folders, sent in small groups: progress, rate, time left, cancel, and each file's fault kept.
import { icon } from "./toast.mjs";

const GROUP_FILES = 16;
const GROUP_BYTES = 24e6;
const LANES = 2;
const IMAGE = /\.(jpe?g|png|webp|bmp|tiff?|gif)$/i;

const form = document.querySelector("form[data-upload]");
const zone = document.querySelector("[data-drop]");
const board = document.querySelector("[data-upload-state]");

const el = (name, { text = "", cls = "", ...rest } = {}, ...children) => {
  const made = Object.assign(document.createElement(name), rest);
  if (cls) made.className = cls;
  if (text) made.textContent = text;
  made.append(...children);
  return made;
};
const count = (n) => n.toLocaleString("en");
const timeLeft = (s) => (s < 60 ? `${Math.max(1, Math.round(s))} s left` : s < 5400 ? `${Math.round(s / 60)} min left` : `${Math.round(s / 3600)} h left`);

// ---- which files
const entriesOf = (reader) => new Promise((done, fail) => reader.readEntries(done, fail));
const fileOf = (entry) => new Promise((done, fail) => entry.file(done, fail));

async function* walk(entry) {
  if (entry.isFile) {
    yield { file: await fileOf(entry), path: entry.fullPath.replace(/^\//, "") };
    return;
  }
  const reader = entry.createReader();
  for (let some = await entriesOf(reader); some.length; some = await entriesOf(reader)) {
    for (const one of some) yield* walk(one);
  }
}

const fromDrop = async (transfer) => {
  // Entries have to be taken before the first wait; afterwards the browser has forgotten them.
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.length) return [...transfer.files].map((file) => ({ file, path: file.name }));
  const found = [];
  for (const entry of entries) for await (const one of walk(entry)) found.push({ ...one, folder: entry.isDirectory });
  // What lies beside the images of a folder is passed over; a file that was dropped by itself is tried.
  return found.filter(({ folder, path }) => !folder || IMAGE.test(path));
};

const fromInput = (input, folder) =>
  [...input.files].map((file) => ({ file, path: file.webkitRelativePath || file.name })).filter(({ path }) => !folder || IMAGE.test(path));

const groups = function* (items) {
  let group = [], size = 0;
  for (const item of items) {
    if (group.length && (group.length >= GROUP_FILES || size + item.file.size > GROUP_BYTES)) {
      yield group;
      group = [];
      size = 0;
    }
    group.push(item);
    size += item.file.size;
  }
  if (group.length) yield group;
};

// ---- one upload with its bar
class Upload {
  constructor(items) {
    this.items = items;
    this.bytes = items.reduce((sum, { file }) => sum + file.size, 0) || 1;
    this.sent = new Map();
    this.done = 0;
    this.totals = { created: 0, duplicates: 0, errors: 0 };
    this.began = performance.now();
    this.running = new Set();
    this.canceled = false;
    this.draw();
  }

  draw() {
    this.title = el("span", { cls: "cut", text: `Upload ${count(this.items.length)} ${this.items.length === 1 ? "image" : "images"}` });
    this.stop = el("button", { cls: "btn quiet icon", type: "button", title: "Stop" }, icon("cross"));
    this.stop.setAttribute("aria-label", "Stop this upload");
    this.stop.addEventListener("click", () => this.cancel());
    this.bar = el("progress", { max: this.bytes, value: 0 });
    this.bar.setAttribute("aria-label", "Bytes sent");
    this.rate = el("span", { cls: "small", text: "counting" });
    this.left = el("span", { cls: "small num" });
    this.errors = el("ul", { cls: "upload-errors", hidden: true });
    this.note = el("p", { cls: "small" });
    board.prepend(el("div", { cls: "stack" }, el("div", { cls: "task" }, this.title, this.stop, this.bar, this.rate, this.left), this.note, this.errors));
  }

  async run() {
    const queue = [...groups(this.items)];
    const lane = async () => {
      for (let group = queue.shift(); group && !this.canceled; group = queue.shift()) await this.send(group);
    };
    await Promise.all(Array.from({ length: LANES }, lane));
    this.end();
  }

  send(group) {
    const body = new FormData();
    for (const { file, path } of group) {
      body.append("files", file, file.name);
      body.append("names", path);
    }
    return new Promise((settled) => {
      const request = new XMLHttpRequest();
      this.running.add(request);
      request.open("POST", form.action);
      request.setRequestHeader("Accept", "application/json");
      request.setRequestHeader("X-CSRFToken", form.elements.csrfmiddlewaretoken.value);
      request.upload.addEventListener("progress", (e) => {
        this.sent.set(group, Math.min(1, e.loaded / (e.total || 1)));
        this.show();
      });
      request.addEventListener("loadend", () => {
        this.running.delete(request);
        this.take(group, request);
        settled();
      });
      request.send(body);
    });
  }

  take(group, request) {
    this.sent.set(group, 1);
    this.done += group.length;
    let answer = null;
    try {
      answer = JSON.parse(request.responseText);
    } catch {
      // Not JSON: the page of an error, or nothing at all.
    }
    if (request.status === 200 && answer) {
      this.totals.created += answer.created;
      this.totals.duplicates += answer.duplicates;
      for (const { name, message } of answer.errors) this.fault(name, message);
      if (answer.created) this.answer = answer;
    } else if (!this.canceled) {
      const why = answer?.error?.message ?? (request.status ? `The server answered ${request.status}.` : "The server did not answer.");
      for (const { path } of group) this.fault(path, `${why} Not stored; add it again.`);
    }
    this.show();
  }

  fault(name, message) {
    this.totals.errors += 1;
    this.errors.hidden = false;
    this.errors.append(el("li", { cls: "error" }, icon("alert"), el("span", {}, el("b", { text: name }), ` ${message}`)));
  }

  show() {
    const sent = [...this.sent].reduce((sum, [group, part]) => sum + part * group.reduce((all, { file }) => all + file.size, 0), 0);
    this.bar.value = sent;
    const seconds = (performance.now() - this.began) / 1000;
    if (seconds < 1 || !sent) return;
    this.rate.textContent = `${count(this.done)} of ${count(this.items.length)}, ${(sent / 1e6 / seconds).toFixed(1)} MB a second`;
    this.left.textContent = timeLeft(((this.bytes - sent) * seconds) / sent);
  }

  cancel() {
    this.canceled = true;
    for (const request of this.running) request.abort();
  }

  end() {
    const { created, duplicates, errors } = this.totals;
    this.stop.remove();
    this.bar.value = this.bytes;
    this.bar.hidden = true;
    this.left.textContent = "";
    const words = [`${count(created)} added`];
    if (duplicates) words.push(`${count(duplicates)} were there already`);
    if (errors) words.push(`${count(errors)} refused`);
    this.rate.textContent = (this.canceled ? "Stopped. " : "") + words.join(", ");
    if (this.answer) {
      this.note.textContent = `${this.answer.detects} `;
      if (this.answer.make) document.querySelector("[data-make]")?.classList.add("primary");
      if (this.answer.batch) this.note.append(el("a", { cls: "link", href: this.answer.batch, text: "Watch the batch" }));
      refresh();
    }
  }
}

const refresh = () => window.htmx?.ajax("GET", form.dataset.wall, { target: "#wall", swap: "outerHTML" });

const start = (items) => {
  if (items.length) return new Upload(items).run();
  board.prepend(el("p", { cls: "small t2", text: "There was no image in that." }));
};

if (form && zone && board) {
  const picker = form.elements.files;
  const folder = form.querySelector("[data-folder]");
  const pick = form.querySelector("[data-pick-folder]");
  pick.hidden = false;
  pick.addEventListener("click", () => folder.click());
  folder.addEventListener("change", () => {
    start(fromInput(folder, true));
    folder.value = "";
  });
  picker.addEventListener("change", () => {
    start(fromInput(picker, false));
    picker.value = "";
  });
  form.addEventListener("submit", (e) => {
    e.preventDefault();
    if (picker.files.length) start(fromInput(picker, false));
    else picker.click();
  });
  const carriesFiles = (e) => e.dataTransfer?.types.includes("Files");
  addEventListener("dragover", (e) => {
    if (!carriesFiles(e)) return;
    e.preventDefault();
    zone.classList.add("hot");
  });
  addEventListener("dragleave", (e) => {
    if (!e.relatedTarget) zone.classList.remove("hot");
  });
  addEventListener("drop", async (e) => {
    if (!carriesFiles(e)) return;
    e.preventDefault();
    zone.classList.remove("hot");
    start(await fromDrop(e.dataTransfer));
  });
}
