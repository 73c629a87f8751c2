// How the answer came about: the shares of the ten digits over the time of writing, as one ribbon.
//
//   live answers -> add(strokes, answer) -> bands -> the slider scrubs -> onScrub(moment), or null at the end
//
// The band of the answer stands out; the second is the digit that came closest at any time.

import { keepFocus } from "./voice.js";

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 1000;
const HEIGHT = 100;

export class Ribbon {
  #moments = []; // {strokes, reply}
  #onScrub;

  constructor(onScrub) {
    this.#onScrub = onScrub;
    const slider = $("moment");
    slider.addEventListener("input", () => this.#scrub(Number(slider.value)));
    for (const name of ["pointerup", "blur"]) slider.addEventListener(name, () => this.#return());
  }

  clear() {
    if (this.#moments.length) this.#onScrub(null);
    this.#moments = [];
    $("ribbon").classList.add("nothing"); // its place stays
    keepFocus();
  }

  add(strokes, reply) {
    this.#moments.push({ strokes: strokes.map((stroke) => [...stroke]), reply });
    this.#draw();
  }

  #draw() {
    const count = this.#moments.length;
    $("ribbon").classList.toggle("nothing", count < 2);
    if (count < 2) return;
    $("moment").max = count - 1;
    $("moment").value = count - 1;
    const { digit: answer } = this.#moments.at(-1).reply;
    const peak = (digit) => Math.max(...this.#moments.map(({ reply }) => reply.probabilities[digit]));
    const others = Array.from({ length: 10 }, (_, digit) => digit).filter((digit) => digit !== answer);
    const order = [answer, ...others.sort((a, b) => peak(b) - peak(a))];
    $("bands").replaceChildren(...order.map((digit, rank) => this.#band(digit, rank, order)));
    const seen = this.#moments.map(({ reply }) => reply.digit).filter((digit, i, all) => digit !== all[i - 1]);
    $("bands").setAttribute("aria-label", `What it looked like: ${seen.join(", then ")}`);
    $("bands-key").textContent = `Main band: ${answer}. Second band: ${order[1]}.`;
  }

  // One digit's share as an area on top of those before it.
  #band(digit, rank, order) {
    const below = order.slice(0, rank);
    const edge = (digits) =>
      this.#moments.map(({ reply }, i) => {
        const share = digits.reduce((sum, each) => sum + reply.probabilities[each], 0);
        return [(WIDTH * i) / (this.#moments.length - 1), HEIGHT * (1 - share)].map((each) => each.toFixed(1)).join(" ");
      });
    const outline = [...edge([...below, digit]), ...edge(below).reverse()];
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", `M${outline.join("L")}Z`);
    path.setAttribute("class", `rank-${Math.min(rank, 2)}`);
    return path;
  }

  #scrub(at) {
    const moment = this.#moments[at];
    $("moment").setAttribute("aria-valuetext", `${moment.reply.digit}, moment ${at + 1} of ${this.#moments.length}`);
    this.#onScrub(at === this.#moments.length - 1 ? null : moment);
  }

  #return() {
    if (!this.#moments.length) return;
    $("moment").value = this.#moments.length - 1;
    this.#onScrub(null);
  }
}
