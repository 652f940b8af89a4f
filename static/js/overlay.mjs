// Shows and hides a layer of boxes: <button data-layer="id of the svg group" aria-pressed>.
const shown = (button, on) => {
  button.setAttribute("aria-pressed", String(on));
  button.classList.toggle("on", on);
  document.getElementById(button.dataset.layer)?.classList.toggle("off", !on);
};

for (const button of document.querySelectorAll("[data-layer]")) {
  // What is hidden stays hidden on the next image of this tab.
  if (sessionStorage.getItem(button.dataset.layer) === "off") shown(button, false);
  button.addEventListener("click", () => {
    const on = button.getAttribute("aria-pressed") !== "true";
    sessionStorage.setItem(button.dataset.layer, on ? "on" : "off");
    shown(button, on);
  });
}
