// A dialog over the page: named, closed by Escape and by its button; the focus goes back to where it came from.
import { button, make } from "../lib/draw.js";
import { say } from "../lib/words.js";

let count = 0;

// `title` is a text or a node; `wide` is the name of a wider class; `closed` is called when it is gone.
export function openDialog(title, children, { wide = "", closed = null } = {}) {
  const id = `dialog-${(count += 1)}`;
  const opener = document.activeElement;
  const dialog = make("dialog", { className: wide, "aria-labelledby": id },
    make("header", {}, make("h2", { id }, title), button("✕", () => dialog.close(), { className: "close", ariaLabel: say("dialog.close") })),
    ...children);
  dialog.addEventListener("close", () => {
    dialog.remove();
    if (opener?.isConnected) opener.focus({ preventScroll: true });
    closed?.();
  });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

export function field(name, input) {
  return make("label", {}, make("span", { textContent: name }), input);
}
