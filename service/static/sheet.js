// The sheet of paper: strokes from pen, finger, mouse or keys, or a picture laid on it.
//
//   pointer events, keys -> strokes (points in [0, 1]) -> curves on the canvas -> "change"
//   blob() -> the same curves, black on white, in the size that is sent
//
// A sheet is {strokes, picture} and never changes; what is being written is a draft until the pen lifts.

import { History } from "./history.js";
import { extent, paint, PEN } from "./ink.js";

const SENT_SIDE = 280;
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
    if (!this.empty) this.#push(BLANK, "cleared");
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
    this.#push({ strokes: [], picture }, "laid");
  }

  // Puts a smaller copy in the place of the picture; to the reader it is the same sheet.
  refit(picture) {
    this.#history.amend({ strokes: [], picture });
  }

  // Shows a whole drawing, unfinished while it is being replayed.
  write(strokes, finished) {
    this.#draft = finished ? null : strokes;
    if (finished) this.#push({ strokes, picture: null }, "written");
    else this.#changed(false, "writing", strokes.length <= 1);
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
    const canvas = document.createElement("canvas");
    const bitmap = this.picture?.bitmap;
    const scale = bitmap ? Math.min(1, SPECIMEN_SIDE / Math.max(bitmap.width, bitmap.height)) : 1;
    canvas.width = bitmap ? Math.max(1, Math.round(bitmap.width * scale)) : SENT_SIDE;
    canvas.height = bitmap ? Math.max(1, Math.round(bitmap.height * scale)) : SENT_SIDE;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (bitmap) context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    else paint(context, this.strokes, SENT_SIDE, "#000");
    // toBlob waits for the page to be idle, up to a second, which a page never is during writing.
    const base64 = canvas.toDataURL("image/png").split(",")[1];
    return new Blob([Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))], { type: "image/png" });
  }

  redraw() {
    cancelAnimationFrame(this.#frame);
    this.#frame = requestAnimationFrame(() => {
      const canvas = this.#canvas;
      const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
      if (canvas.width !== side) canvas.width = canvas.height = side;
      const context = canvas.getContext("2d");
      const style = getComputedStyle(canvas);
      context.clearRect(0, 0, side, side);
      if (this.picture) this.#show(context, side, style);
      paint(context, this.strokes, side, style.getPropertyValue("--ink"));
      if (this.#cursor) this.#showCursor(context, side, style);
    });
  }

  // kind: what happened, for the ear; fresh: nothing said of the sheet before holds for this one.
  #changed(finished, kind, fresh = false) {
    this.redraw();
    this.dispatchEvent(new CustomEvent("change", { detail: { finished, kind, fresh } }));
  }

  #push(sheet, kind) {
    this.#history.push(sheet);
    this.#changed(true, kind, kind !== "written");
  }

  #begin(point) {
    const fresh = this.empty || this.picture !== null; // someone who writes on a picture wants the writing read
    this.dispatchEvent(new Event("pendown"));
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
    this.#settle();
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
      if (this.writing) this.#settle();
      else this.#begin([...this.#cursor]);
      return;
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

  #show(context, side, style) {
    const { file, bitmap } = this.picture;
    if (!bitmap) {
      context.fillStyle = style.getPropertyValue("--soft");
      context.font = `${side / 22}px ${style.fontFamily}`;
      context.textAlign = "center";
      context.fillText(file.name || "picture", side / 2, side / 2, side * 0.9);
      return;
    }
    const scale = side / Math.max(bitmap.width, bitmap.height);
    const [width, height] = [bitmap.width * scale, bitmap.height * scale];
    context.imageSmoothingEnabled = scale < 4; // an 8 x 8 picture shows its pixels
    context.save();
    context.beginPath();
    context.roundRect(0, 0, side, side, 17 * devicePixelRatio);
    context.clip();
    context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
    context.restore();
  }

  #showCursor(context, side, style) {
    const [x, y] = this.#cursor;
    context.beginPath();
    context.arc(x * side, y * side, (PEN * side) / 2 + 3 * devicePixelRatio, 0, 2 * Math.PI);
    context.strokeStyle = style.getPropertyValue(this.writing ? "--for" : "--against");
    context.lineWidth = (this.writing ? 4 : 2) * devicePixelRatio; // told by width as well as by colour
    context.stroke();
  }
}
