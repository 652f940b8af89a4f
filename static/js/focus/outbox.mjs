// What a person decided, until the server has it: in order, one at a time, kept over a reload or a lost connection.
const STALE_PAGE = 90_000; // a page that kept its list no fresher than this is gone; its verdicts are taken over
const WAIT = [1000, 2000, 4000, 8000, 15_000, 30_000];
const TIMEOUT = 20_000;

export const newKey = () => crypto.randomUUID?.() ?? `${Date.now()}-${Math.random().toString(36).slice(2)}`;

const pageId = () => {
  sessionStorage.mixcvPage ??= Math.random().toString(36).slice(2);
  return sessionStorage.mixcvPage;
};

export class Outbox {
  // on.done(item, answer), on.stale(item, error), on.refused(item, error), on.trouble(count, reason), on.calm()
  constructor(scope, csrf, on) {
    Object.assign(this, { prefix: `mixcv.outbox.${scope}.`, csrf, on, items: [], failures: 0, busy: false });
    this.key = this.prefix + pageId();
    this.adopt();
    addEventListener("online", () => this.now());
    setInterval(() => this.items.length && this.keep(), STALE_PAGE / 3);
  }

  adopt() {
    for (const key of Object.keys(localStorage)) {
      if (!key.startsWith(this.prefix)) continue;
      try {
        const kept = JSON.parse(localStorage[key]);
        if (key !== this.key && Date.now() - kept.at < STALE_PAGE) continue;
        this.items.push(...kept.items);
      } catch { /* not ours, or broken: nothing to save in it */ }
      localStorage.removeItem(key);
    }
    this.keep();
  }

  keep() {
    try {
      if (this.items.length) localStorage[this.key] = JSON.stringify({ at: Date.now(), items: this.items });
      else localStorage.removeItem(this.key);
    } catch { /* a full or closed store: the list still lives in this page */ }
  }

  push(item) {
    this.items.push(item);
    this.keep();
    if (this.failures) this.on.trouble(this.items.length, this.reason);
    this.run();
  }

  // Takes back what was not sent yet. False where the server may have it already.
  withdraw(key) {
    const at = this.items.findIndex((item) => item.key === key);
    if (at < 0 || (at === 0 && this.busy) || (at === 0 && this.items[0].tried)) return false;
    this.items.splice(at, 1);
    this.keep();
    return true;
  }

  images() { return new Set(this.items.map((item) => item.image)); }

  now() {
    clearTimeout(this.timer);
    this.timer = null;
    this.run();
  }

  async run() {
    if (this.busy || this.timer) return;
    this.busy = true;
    while (this.items.length && !this.timer) await this.send(this.items[0]);
    this.busy = false;
    if (!this.items.length) this.on.empty?.();
  }

  async send(item) {
    item.tried = true;
    let answer;
    try {
      const response = await fetch(item.url, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRFToken": this.csrf, "HX-Request": "true" },
        body: JSON.stringify(item.body),
        signal: AbortSignal.timeout(TIMEOUT),
      });
      answer = { status: response.status, data: await response.json().catch(() => null) };
    } catch {
      this.later("the server did not answer");
      return;
    }
    const { status, data } = answer;
    if (status === 401) this.later("you are signed out. Sign in in another tab, then try again");
    else if (status === 403 && !data) { await this.renewToken(); this.later("the session changed"); }
    else if (status >= 500 || status === 429 || !data) this.later("the server could not take it");
    else this.settle(item, status, data);
  }

  // Signing in anew, in another tab, changes the token that each call must carry.
  async renewToken() {
    try {
      const page = new DOMParser().parseFromString(await (await fetch("/account/")).text(), "text/html");
      this.csrf = page.querySelector("meta[name=csrf]")?.content ?? this.csrf;
    } catch { /* no answer now: the next try asks again */ }
  }

  settle(item, status, data) {
    if (this.failures) this.on.calm();
    this.failures = 0;
    this.items.shift();
    if (status === 409) {
      this.items = this.items.filter((other) => !item.detection || other.detection !== item.detection);
      this.on.stale(item, data.error ?? {});
    } else if (status >= 400) this.on.refused(item, data.error ?? {});
    else {
      for (const other of this.items) { // decided again meanwhile: that verdict knows of this one
        if (item.detection && other.detection === item.detection && data.revision !== undefined) other.body.revision = data.revision;
      }
      this.on.done(item, data);
    }
    this.keep();
  }

  later(reason) {
    const wait = WAIT[Math.min(this.failures, WAIT.length - 1)];
    this.failures += 1;
    this.reason = reason;
    this.on.trouble(this.items.length, reason);
    this.timer = setTimeout(() => this.now(), wait);
  }
}
