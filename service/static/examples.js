// Examples to click on an empty sheet: drawings of our own, replayed at the pace of the hand that drew them, and
// a photograph.
//
//   GET static/examples.json -> buttons -> click -> frame by frame onto the sheet, with live answers
//                                                -> GET static/photograph.jpg -> laid on the sheet
//
// A pen set down, Undo or Clear ends the replay.

import { thumbnail } from "./ink.js";

const PACE = 1.5; // times as long as the hand took
const stillness = matchMedia("(prefers-reduced-motion: reduce)");

const shares = (strokes) => strokes.map((stroke) => stroke.map(([x, y]) => [x / 1000, y / 1000]));

// What was on paper after so many milliseconds.
function until(strokes, milliseconds) {
  return strokes.map((stroke) => stroke.filter((point) => point[2] <= milliseconds)).filter((stroke) => stroke.length);
}

class Replay {
  #sheet;
  #frame = 0;
  #own = false; // whether a change comes from here

  constructor(sheet) {
    this.#sheet = sheet;
    sheet.addEventListener("pendown", () => {
      if (this.#frame) sheet.drop();
      this.stop();
    });
    sheet.addEventListener("change", () => this.#own || this.stop());
  }

  start(strokes) {
    this.stop();
    const end = strokes.at(-1).at(-1)[2];
    if (stillness.matches) return this.#write(strokes, true);
    const started = performance.now();
    const step = (now) => {
      const elapsed = (now - started) / PACE;
      this.#frame = elapsed < end ? requestAnimationFrame(step) : 0;
      this.#write(until(strokes, Math.max(0, elapsed)), elapsed >= end);
    };
    this.#frame = requestAnimationFrame(step);
  }

  stop() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
  }

  #write(strokes, finished) {
    this.#own = true;
    this.#sheet.write(shares(strokes), finished);
    this.#own = false;
  }
}

function makeButton(name, action, content, onClick) {
  const button = Object.assign(document.createElement("button"), { type: "button", title: name });
  button.setAttribute("aria-label", `${name}: ${action}`);
  button.append(content);
  button.addEventListener("click", onClick);
  return button;
}

// prepare: makes of a file what the sheet takes.
export async function setUpExamples(sheet, prepare) {
  const place = document.getElementById("examples");
  const replay = new Replay(sheet);
  const examples = await (await fetch("static/examples.json")).json();
  const lay = async (picture) => {
    const content = await (await fetch(`static/${picture}`)).blob();
    sheet.lay(await prepare(new File([content], picture, { type: content.type })));
  };
  place.append(
    ...examples.map(({ name, strokes, picture }) => {
      if (strokes) return makeButton(name, "watch it being written", thumbnail(shares(strokes)), () => replay.start(strokes));
      const image = Object.assign(new Image(), { src: `static/${picture}`, alt: "" });
      return makeButton(name, "have it read", image, () => lay(picture));
    }),
  );
}
