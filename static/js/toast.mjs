// say("text", {bad, action: ["Try again", fn], key}): a message at the foot of the page. One per key, the newest stays.
const SPRITE = new URL("../icons.svg", import.meta.url).pathname;

export const icon = (name) => {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "i");
  svg.setAttribute("aria-hidden", "true");
  const use = document.createElementNS("http://www.w3.org/2000/svg", "use");
  use.setAttribute("href", `${SPRITE}#${name}`);
  svg.append(use);
  return svg;
};

export const say = (text, { bad = false, action = null, key = "" } = {}) => {
  const home = document.getElementById("toasts");
  if (key) unsay(key);
  const toast = document.createElement("div");
  toast.className = bad ? "toast bad" : "toast";
  toast.dataset.toast = key;
  toast.setAttribute("role", bad ? "alert" : "status");
  const p = document.createElement("p");
  p.textContent = text;
  if (bad) toast.append(icon("alert"));
  toast.append(p);
  if (action) {
    const button = document.createElement("button");
    button.className = "btn";
    button.type = "button";
    button.textContent = action[0];
    button.addEventListener("click", action[1]);
    toast.append(button);
  }
  const close = document.createElement("button");
  close.className = "btn quiet icon";
  close.type = "button";
  close.dataset.dismiss = "";
  close.setAttribute("aria-label", "Close this message");
  close.append(icon("cross"));
  toast.append(close);
  home.prepend(toast);
  if (!bad) setTimeout(() => toast.remove(), 6000);
  return toast;
};

export const unsay = (key) => {
  for (const old of document.querySelectorAll(`[data-toast="${CSS.escape(key)}"]`)) old.remove();
};
