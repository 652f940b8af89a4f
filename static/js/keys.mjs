// Any control with data-key="a" answers to that key.
export const typing = (el) => el.matches?.("input:not([type=checkbox],[type=radio]), select, textarea, [contenteditable]");

export const press = (key) => {
  const el = [...document.querySelectorAll("[data-key]")].find((b) => b.dataset.key === key && b.offsetParent !== null);
  if (!el) return false;
  el.classList.add("hit");
  setTimeout(() => el.classList.remove("hit"), 140);
  el.click();
  return true;
};

addEventListener("keydown", (e) => {
  if (e.defaultPrevented || e.ctrlKey || e.metaKey || e.altKey || typing(e.target)) return;
  if (document.querySelector("dialog[open]")) return; // the dialog closes itself on Escape
  if (press(e.key.toLowerCase())) e.preventDefault();
});
