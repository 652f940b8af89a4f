// The next images: fetched as fragments by HTMX and decoded before they are wanted; and the leases on what is held.
const DEPTH = 2;

export class Ahead {
  // busy(): keys of images that must not come again; on.changed(): what is held is another
  constructor({ holder, url, leaseUrl, csrf, on, busy }) {
    Object.assign(this, { holder, url, leaseUrl, csrf, on, busy, ready: [], over: false, loading: null });
    setInterval(() => this.renew(), 60_000);
    addEventListener("pagehide", () => this.leave());
  }

  held() { return [...this.busy().held, ...this.ready.map((work) => work.dataset.image)].filter(Boolean); }

  // Fetches until enough lie ready. One request at a time.
  fill() {
    if (this.loading || this.over || this.ready.length >= DEPTH) return this.loading;
    this.loading = this.fetch().finally(() => {
      this.loading = null;
      if (!this.failed && !this.over) this.fill();
    });
    return this.loading;
  }

  async fetch() {
    const exclude = [...new Set([...this.held(), ...this.busy().unsaved])].join(",");
    const work = await this.get(`${this.url}?exclude=${exclude}`);
    this.failed = !work;
    if (!work) return;
    if (work.dataset.empty !== undefined) { this.over = true; this.end = work; return; }
    this.ready.push(work);
    this.on.changed();
    await work.querySelector("img").decode().catch(() => {});
  }

  async get(url) {
    try {
      await window.htmx.ajax("GET", url, { target: this.holder, swap: "beforeend" });
    } catch {
      return null;
    }
    const work = this.holder.lastElementChild;
    work?.remove();
    return work;
  }

  // The next image, at once where one is ready; the last page where none is left; null where the server did not answer.
  async take() {
    if (!this.ready.length) await (this.fill() ?? null);
    const work = this.ready.shift() ?? null;
    if (work) return work;
    return this.over ? this.end : null;
  }

  // Without waiting. Whoever takes calls fill() once the image stands on the page: until then it is in no list.
  takeReady() { return this.ready.shift() ?? null; }

  putBack(work) {
    if (work && work.dataset.empty === undefined) this.ready.unshift(work);
  }

  again() { this.over = false; this.end = null; }

  form(images, release) {
    const body = new FormData();
    body.set("csrfmiddlewaretoken", this.csrf);
    body.set("images", images.join(","));
    if (release) body.set("release", "1");
    return body;
  }

  async renew() {
    const images = this.held();
    if (!images.length) return;
    try {
      const response = await fetch(this.leaseUrl, { method: "POST", body: this.form(images), headers: { Accept: "application/json" } });
      if (!response.ok) return;
      const { lost } = await response.json();
      this.ready = this.ready.filter((work) => !lost.includes(Number(work.dataset.image)));
      this.on.lost(lost);
    } catch { /* the next minute asks again; a lease outlives two lost calls */ }
  }

  release(images) {
    if (images.length) navigator.sendBeacon(this.leaseUrl, this.form(images, true));
  }

  leave() { this.release(this.held()); }
}
