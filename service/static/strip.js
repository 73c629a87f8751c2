// What was drawn before: a strip of small drawings, each with its answer; a click brings one back.
//
//   a settled answer -> keep(strokes, reply) -> the newest in the strip; next() -> the strip goes on
//   another model -> entries() -> png() of each -> judged(reply)
//
// It lives in this page only and is gone when the page is left.

import { onPaper, thumbnail, toPng } from "./ink.js";
import { encodeStrokes } from "./link.js";
import { SENT_SIDE } from "./sheet.js";
import { named, percentage } from "./words.js";

const LONGEST = 30;

const marked = ({ digit, accepted }) => (accepted ? `${digit}` : `${digit}?`);
const inWords = ({ digit, confidence }) => `${named(digit)}, ${percentage(confidence)}`;

export class Strip {
  #list = document.getElementById("strip");
  #newest = null; // the entry of the drawing on the sheet
  #drawn = new WeakMap(); // entry -> {strokes, reply}
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

  entries() {
    return [...this.#list.children].map((item) => ({
      png: () => toPng(onPaper(this.#drawn.get(item).strokes, SENT_SIDE)),
      judged: (reply) => this.#judged(item, reply),
    }));
  }

  // Shows what another model reads; returns whether that is another digit than at first.
  #judged(item, reply) {
    const { reply: first } = this.#drawn.get(item);
    const changed = first.digit !== reply.digit;
    item.querySelector("span").textContent = changed ? `${marked(first)} → ${marked(reply)}` : marked(reply);
    const words = changed ? `${inWords(first)}; now ${inWords(reply)}` : inWords(reply);
    item.firstElementChild.setAttribute("aria-label", `Bring back ${words}`);
    return changed;
  }

  #entry(strokes, reply) {
    const item = document.createElement("li");
    const button = Object.assign(document.createElement("button"), { type: "button" });
    const label = Object.assign(document.createElement("span"), { textContent: marked(reply) });
    button.append(thumbnail(strokes), label);
    button.setAttribute("aria-label", `Bring back ${inWords(reply)}`);
    button.addEventListener("click", () => this.#onPick(strokes));
    item.append(button);
    this.#drawn.set(item, { strokes, reply });
    return item;
  }
}
