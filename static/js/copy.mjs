// A button with data-copies="id" puts that element's text on the clipboard. Without a script, or a clipboard, there is none.
import { say } from "./toast.mjs";

const selectAll = (el) => getSelection().selectAllChildren(el);

for (const button of document.querySelectorAll("[data-copies]")) {
  button.hidden = false;
  button.addEventListener("click", async () => {
    const source = document.getElementById(button.dataset.copies);
    try {
      await navigator.clipboard.writeText(source.textContent.trim());
      say("Copied.", { key: "copied" });
    } catch {
      // Plain http to another machine has no clipboard.
      selectAll(source);
      say("Selected. Copy it with Ctrl+C.", { key: "copied" });
    }
  });
}
