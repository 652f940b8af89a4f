// The theme changes at once and is kept on the account; without a script the form does the same.
const root = document.documentElement;

document.addEventListener("submit", (e) => {
  const form = e.target.closest("[data-theme-form]");
  if (!form) return;
  e.preventDefault();
  const light = root.dataset.theme === "light"
    || (!root.dataset.theme && matchMedia("(prefers-color-scheme: light)").matches);
  root.dataset.theme = light ? "dark" : "light";
  const body = new FormData(form);
  body.set("theme", root.dataset.theme);
  fetch(form.action, { method: "POST", body, headers: { "X-Requested-With": "fetch" } }).catch(() => {});
});
