// The sheet of paper: strokes from pen, finger, mouse or keys, or a picture laid on it.
//
//   pointer events, keys -> strokes (points in [0, 1]) -> curves on the canvas -> "change"
//   blob() -> the same curves, black on white, in the size that is sent
//
// A sheet is {strokes, picture} and never changes; what is being written is a draft until the pen lifts.

import { History } from "./history.js";
import { extent, onPaper, toPng } from "./ink.js";
import { draw } from "./view.js";

export const SENT_SIDE = 280;
const SPECIMEN_SIDE = 512;
const KEY_STEP = 0.02;
const KEY_LEAP = 0.08;
const BLANK = { strokes: [], picture: null };

export class Sheet extends EventTarget {
  #canvas;
  #history = new History(BLANK);
  #draft = null; // the strokes while the pen is down
  #pointer = null;
  #cursor = null; // where the keyboard's pen is
  #preview = null; // strokes shown for a moment in the place of the sheet
  #frame = 0;

  constructor(canvas) {
    super();
    this.#canvas = canvas;
    canvas.addEventListener("pointerdown", (event) => this.#down(event));
    canvas.addEventListener("pointermove", (event) => this.#move(event));
    for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
      canvas.addEventListener(name, (event) => this.#up(event));
    }
    canvas.addEventListener("keydown", (event) => this.#key(event));
    canvas.addEventListener("blur", () => this.#putCursorAway());
    new ResizeObserver(() => this.redraw()).observe(canvas);
    document.documentElement.addEventListener("themechange", () => this.redraw());
  }

  get strokes() {
    return this.#draft ?? this.#history.current.strokes;
  }

  get picture() {
    return this.#draft ? null : this.#history.current.picture;
  }

  // The sheet itself, the same object whenever Undo or Redo brings it back.
  get current() {
    return this.#history.current;
  }

  get empty() {
    return !this.strokes.length && !this.picture;
  }

  get writing() {
    return this.#draft !== null;
  }

  get canUndo() {
    return this.#history.canUndo || this.writing;
  }

  get canRedo() {
    return this.#history.canRedo;
  }

  // The larger side of what is written, as a share of the sheet; 1 for a picture.
  get extent() {
    return this.picture ? 1 : extent(this.strokes);
  }

  clear() {
    this.#settle();
    if (!this.empty) this.#push(BLANK, "cleared", true);
  }

  undo() {
    this.#settle();
    if (this.#history.undo()) this.#changed(true, "undone", true);
  }

  redo() {
    this.#settle();
    if (this.#history.redo()) this.#changed(true, "redone", true);
  }

  // Lays a picture on the sheet: {file, bitmap}, the bitmap null where the browser cannot show the file.
  lay(picture) {
    this.#settle();
    this.#push({ strokes: [], picture }, "laid", true);
  }

  // Puts a smaller copy in the place of the picture; to the reader it is the same sheet.
  refit(picture) {
    this.#history.amend({ strokes: [], picture });
  }

  // Shows a whole drawing, unfinished while it is being replayed.
  write(strokes, finished) {
    const fresh = !this.#draft;
    this.#draft = finished ? null : strokes;
    if (finished) this.#push({ strokes, picture: null }, "written", fresh);
    else this.#changed(false, "writing", fresh);
  }

  // Takes an unfinished drawing away.
  drop() {
    this.#draft = null;
  }

  // Shows other strokes without a change of the sheet; null ends it.
  preview(strokes) {
    this.#preview = strokes;
    this.redraw();
  }

  // The picture that is sent: an upload as it is, else black strokes on opaque white.
  blob() {
    return this.picture?.file ?? this.png();
  }

  // What is kept as an example of a digit: a PNG of a size that suffices, or the file itself where the
  // browser cannot show it.
  specimen() {
    if (!this.picture || this.picture.bitmap) return { content: this.png(), suffix: "png" };
    return { content: this.picture.file, suffix: this.picture.file.name.match(/\.(\w+)$/)?.[1] ?? "img" };
  }

  png() {
    const bitmap = this.picture?.bitmap;
    if (!bitmap) return toPng(onPaper(this.strokes, SENT_SIDE));
    const scale = Math.min(1, SPECIMEN_SIDE / Math.max(bitmap.width, bitmap.height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round(bitmap.width * scale));
    canvas.height = Math.max(1, Math.round(bitmap.height * scale));
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    return toPng(canvas);
  }

  redraw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      const strokes = this.#preview ?? this.strokes;
      const picture = this.#preview ? null : this.picture;
      draw(this.#canvas, { strokes, picture, cursor: this.#cursor, writing: this.writing });
    });
  }

  // kind: what happened, for screen readers; fresh: nothing said about the sheet before applies any more.
  #changed(finished, kind, fresh = false) {
    this.redraw();
    this.dispatchEvent(new CustomEvent("change", { detail: { finished, kind, fresh } }));
  }

  #push(sheet, kind, fresh = false) {
    this.#history.push(sheet);
    this.#changed(true, kind, fresh);
  }

  // A replay gives way to a pen.
  #ready() {
    this.dispatchEvent(new Event("pendown"));
    this.#settle();
  }

  #begin(point) {
    const fresh = this.empty || this.picture !== null; // writing on a picture starts a new sheet
    this.#draft = [...(fresh ? [] : this.#history.current.strokes), [point]];
    this.#changed(false, "writing", fresh);
  }

  // A point where the last one was adds nothing, and a line between two such leaves no ink on a canvas.
  #extend(point) {
    const stroke = this.#draft.at(-1);
    const last = stroke.at(-1);
    if (point[0] !== last[0] || point[1] !== last[1]) stroke.push(point);
  }

  #settle() {
    if (!this.#draft) return;
    const strokes = this.#draft;
    this.#draft = null;
    this.#pointer = null;
    this.#push({ strokes, picture: null }, "written");
  }

  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #down(event) {
    if (this.#pointer !== null || event.button !== 0) return; // a second finger does not draw
    this.#ready();
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#cursor = null;
    this.#begin(this.#point(event));
  }

  #move(event) {
    if (event.pointerId !== this.#pointer || !this.#draft) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.#extend(this.#point(each));
    this.#changed(false, "writing");
  }

  #up(event) {
    if (event.pointerId === this.#pointer) this.#settle();
  }

  #key(event) {
    if (event.key === "Delete" || event.key === "Backspace") return this.clear();
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!direction && event.key !== " ") return;
    event.preventDefault();
    this.#cursor ??= [0.5, 0.5];
    if (event.key === " ") {
      this.dispatchEvent(new CustomEvent("pen", { detail: { down: !this.writing } }));
      if (this.writing) return this.#settle();
      this.#ready();
      return this.#begin([...this.#cursor]);
    }
    const step = event.shiftKey ? KEY_LEAP : KEY_STEP;
    this.#cursor = this.#cursor.map((value, axis) => Math.min(0.97, Math.max(0.03, value + step * direction[axis])));
    if (this.writing) {
      this.#extend([...this.#cursor]);
      this.#changed(false, "writing");
    } else {
      this.redraw();
    }
  }

  #putCursorAway() {
    if (!this.#cursor) return;
    this.#cursor = null;
    if (this.writing && this.#pointer === null) this.#settle();
    else this.redraw();
  }
}
