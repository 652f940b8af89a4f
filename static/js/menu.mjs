// A menu is a <details class="menu">: it opens without a script. Here it closes again: on Escape, on a click outside,
// and when the focus goes on to something else.
const open = () => document.querySelectorAll("details.menu[open]");

document.addEventListener("click", (e) => {
  for (const menu of open()) if (!menu.contains(e.target)) menu.open = false;
});

document.addEventListener("focusin", (e) => {
  for (const menu of open()) if (!menu.contains(e.target)) menu.open = false;
});

addEventListener("keydown", (e) => {
  if (e.key !== "Escape") return;
  const menu = open()[0];
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
  e.stopImmediatePropagation();
}, true);
