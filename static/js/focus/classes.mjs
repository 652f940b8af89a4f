// Choosing a class by typing: names that begin with the text first, then those that contain it, then a new one.
export class Classes {
  constructor(dialog, known) {
    Object.assign(this, { dialog, known });
    this.input = dialog.querySelector("input");
    this.list = dialog.querySelector("[role=listbox]");
    this.heading = dialog.querySelector("h2");
    this.input.addEventListener("input", () => this.fill());
    dialog.addEventListener("keydown", (e) => this.key(e));
    dialog.addEventListener("close", () => this.settle(null));
    this.list.addEventListener("click", (e) => {
      const row = e.target.closest("[role=option]");
      if (row) this.settle(row.dataset.name);
    });
  }

  colour(name) { return this.known.find((one) => one.name === name)?.colour ?? 0; }

  learn(name, colour) {
    const one = this.known.find((known) => known.name === name);
    if (!one) this.known.push({ name, colour });
    else one.colour = colour;
  }

  // The commonest ones that are not in `names` yet.
  more(names, count) {
    const rest = this.known.filter((one) => !names.includes(one.name));
    return rest.slice(0, Math.max(0, count));
  }

  ask(title, now = "") {
    this.heading.textContent = title;
    this.now = now;
    this.input.value = "";
    this.fill();
    this.dialog.showModal();
    this.input.focus();
    return new Promise((resolve) => { this.resolve = resolve; });
  }

  settle(name) {
    const { resolve } = this;
    if (!resolve) return;
    this.resolve = null;
    if (this.dialog.open) this.dialog.close();
    resolve(name);
  }

  fill() {
    const text = this.input.value.trim(), small = text.toLowerCase();
    const starts = [], holds = [];
    for (const one of this.known) {
      const at = one.name.toLowerCase().indexOf(small);
      if (at === 0) starts.push(one);
      else if (at > 0) holds.push(one);
    }
    const found = [...starts, ...holds].slice(0, 50);
    const exact = found.findIndex((one) => one.name.toLowerCase() === small);
    if (exact > 0) found.unshift(...found.splice(exact, 1));
    this.list.replaceChildren(...found.map((one) => this.row(one.name, one.name, one.colour)));
    if (text && exact < 0) this.list.append(this.row(text, `New class “${text}”`, 0));
    this.activate(0);
  }

  row(name, text, colour) {
    const li = document.createElement("li");
    li.setAttribute("role", "option");
    li.id = `class-option-${this.list.childElementCount}-${name.replaceAll(/\W/g, "_")}`;
    li.dataset.name = name;
    if (colour) li.dataset.class = colour;
    const swatch = document.createElement("span");
    swatch.className = "sw";
    const label = document.createElement("span");
    label.className = "cut";
    label.textContent = text;
    li.append(swatch, label);
    if (name === this.now) {
      const mark = document.createElement("span");
      mark.className = "push small t3";
      mark.textContent = "now";
      li.append(mark);
    }
    return li;
  }

  activate(index) {
    const rows = [...this.list.children];
    this.at = rows.length ? (index + rows.length) % rows.length : -1;
    rows.forEach((row, i) => row.setAttribute("aria-selected", i === this.at));
    rows[this.at]?.scrollIntoView({ block: "nearest" });
    this.input.setAttribute("aria-activedescendant", rows[this.at]?.id ?? "");
  }

  key(e) {
    e.stopPropagation();
    if (e.key === "ArrowDown" || e.key === "ArrowUp") {
      e.preventDefault();
      this.activate(this.at + (e.key === "ArrowDown" ? 1 : -1));
    } else if (e.key === "Enter") {
      e.preventDefault();
      const row = this.list.children[this.at];
      if (row) this.settle(row.dataset.name);
    }
  }
}
