// The row of this image's boxes with their verdicts, and of the next images.
import { glyph, nameOf, verdictOf, WORD } from "./boxes.mjs";

const cropUrl = (base, { cx, cy, w, h }) => `${base}?box=${[cx, cy, w, h].map((v) => +v.toFixed(2)).join(",")}&size=96`;

export class Strip {
  constructor(nav, cropBase, boxes, on) {
    Object.assign(this, { nav, cropBase, on, items: new Map() });
    [this.list, this.next] = nav.querySelectorAll("ol");
    for (const box of boxes) this.add(box);
    this.list.addEventListener("click", (e) => {
      const button = e.target.closest(".mini");
      for (const [box, mini] of this.items) if (mini === button) this.on(box);
    });
  }

  add(box) {
    const li = document.createElement("li");
    const mini = document.createElement("button");
    mini.className = "mini";
    mini.type = "button";
    const img = document.createElement("img");
    img.loading = "lazy";
    img.alt = "";
    img.src = cropUrl(this.cropBase, box);
    mini.append(img, glyph("undecided"));
    li.append(mini);
    this.list.append(li);
    this.items.set(box, mini);
    this.update(box);
  }

  remove(box) {
    this.items.get(box)?.closest("li").remove();
    this.items.delete(box);
  }

  update(box) {
    const mini = this.items.get(box), verdict = verdictOf(box);
    mini.setAttribute("aria-label", `${nameOf(box)}, ${WORD[verdict] ?? verdict}`);
    if (mini.dataset.v === verdict) return;
    mini.dataset.v = verdict;
    mini.querySelector(".glyph").replaceWith(glyph(verdict));
  }

  focus(box) {
    this.current?.removeAttribute("aria-current");
    this.current = this.items.get(box);
    this.current?.setAttribute("aria-current", "true");
    const { nav, current } = this; // not scrollIntoView: it would move the page too
    if (!current) return;
    const a = nav.getBoundingClientRect(), b = current.getBoundingClientRect();
    if (b.top < a.top || b.bottom > a.bottom) nav.scrollTop += b.top - a.top - a.height / 2;
    if (b.left < a.left || b.right > a.right) nav.scrollLeft += b.left - a.left - a.width / 2;
  }

  showNext(works) {
    this.next.replaceChildren(...works.map((work, i) => {
      const li = document.createElement("li");
      const mini = document.createElement("span");
      mini.className = "mini";
      const img = document.createElement("img");
      img.src = work.dataset.thumb;
      img.alt = `Next image ${i + 1}`;
      mini.append(img);
      li.append(mini);
      return li;
    }));
  }
}
