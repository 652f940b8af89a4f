// The keys that are no button's: moving between boxes, nudging, looking. Buttons with data-key have theirs from keys.mjs.
import { press, typing } from "../keys.mjs";

const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

// app: step(by), nudge(dx, dy, resize), escape() → handled, whole(), zoom(factor), bare(on), draw (with key(e))
export const bindKeys = (app) => {
  const onStage = (el) => el === document.body || el.matches(".stage");
  const handle = (e) => {
    if (app.draw.active && app.draw.key(e)) return true;
    if (e.key in ARROWS) {
      if (!onStage(e.target)) return false;
      app.nudge(...ARROWS[e.key], e.shiftKey);
      return true;
    }
    switch (e.key) {
      case "Tab": if (!onStage(e.target)) return false; app.step(e.shiftKey ? -1 : 1); return true;
      case "j": case "J": app.step(1); return true;
      case "k": case "K": app.step(-1); return true;
      case "Enter": return onStage(e.target) && press("a");
      case "Escape": return app.escape();
      case "0": app.whole(); return true;
      case "+": case "=": app.zoom(1.25); return true;
      case "-": app.zoom(0.8); return true;
      case " ": if (!onStage(e.target)) return false; app.bare(true); return true;
      default: return false;
    }
  };
  addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || typing(e.target) || document.querySelector("dialog[open]")) return;
    if (handle(e)) { e.preventDefault(); e.stopImmediatePropagation(); }
  }, true);
  addEventListener("keyup", (e) => { if (e.key === " ") app.bare(false); });
  addEventListener("blur", () => app.bare(false));
};
