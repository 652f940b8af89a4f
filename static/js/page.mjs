// What each page has: dialogs, messages that go, and what HTMX does on a failure.
import "./menu.mjs";
import { say } from "./toast.mjs";

document.addEventListener("click", (e) => {
  const opener = e.target.closest("[data-opens]");
  if (opener) document.getElementById(opener.dataset.opens)?.showModal();
  if (e.target.closest("[data-closes]")) e.target.closest("dialog")?.close();
  if (e.target.closest("[data-dismiss]")) e.target.closest("[data-toast]")?.remove();
});

// A refusal comes as a toast with its own target; everything else that failed leaves the page as it is.
document.addEventListener("htmx:beforeSwap", (e) => {
  if (e.detail.xhr.status >= 400 && e.detail.xhr.getResponseHeader("HX-Retarget")) e.detail.shouldSwap = true;
});
const quiet = (e) => [e.detail.elt, e.detail.target].some((el) => el?.matches?.("[data-poll], [data-quiet]"));
document.addEventListener("htmx:responseError", (e) => {
  if (quiet(e)) return;
  if (e.detail.xhr.status >= 500) say("The server could not do this. Nothing was changed; try again.", { bad: true });
});
document.addEventListener("htmx:sendError", (e) => {
  if (!quiet(e)) say("The server did not answer. Try again.", { bad: true });
});
