// What was drawn before: a strip of small drawings, each with its answer; a click brings one back.
//
//   a settled answer -> keep(strokes, reply) -> the newest in the strip; next() -> the strip goes on
//
// It lives in this page only and is gone when the page is left.

import { thumbnail } from "./ink.js";
import { encodeStrokes } from "./link.js";
import { named, percentage } from "./words.js";

const LONGEST = 30;

export class Strip {
  #list = document.getElementById("strip");
  #newest = null; // the entry of the drawing on the sheet
  #onPick;

  constructor(onPick) {
    this.#onPick = onPick;
  }

  // The next answer belongs to another drawing.
  next() {
    this.#newest = null;
  }

  keep(strokes, reply) {
    const entry = this.#entry(strokes, reply);
    entry.dataset.key = encodeStrokes(strokes);
    for (const each of [...this.#list.children]) {
      if (each !== this.#newest && each.dataset.key === entry.dataset.key) each.remove(); // it was brought back
    }
    if (this.#newest) this.#newest.replaceWith(entry);
    else this.#list.prepend(entry);
    this.#newest = entry;
    while (this.#list.children.length > LONGEST) this.#list.lastElementChild.remove();
    document.getElementById("past").hidden = false;
  }

  #entry(strokes, { digit, confidence, accepted }) {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const label = document.createElement("span");
    label.textContent = accepted ? digit : `${digit}?`;
    button.append(thumbnail(strokes), label);
    button.setAttribute("aria-label", `Bring back ${named(digit)}, ${percentage(confidence)}`);
    button.addEventListener("click", () => this.#onPick(strokes));
    item.append(button);
    return item;
  }
}
