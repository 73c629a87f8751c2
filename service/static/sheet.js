// The sheet of paper: strokes from pen, finger, mouse or keys, or a picture laid on it.
//
//   pointer events, keys -> strokes (points in [0, 1]) -> smooth curves on the canvas -> "change"
//   png() -> the same curves, black on white, in the size that is sent
//
// Strokes are kept as points, so that undo, resizing and dark mode draw them again.

// The digit covers about two thirds of the sheet; this gives strokes as wide as those the network learnt.
const PEN = 0.08;
const SENT_SIDE = 280;
const KEY_STEP = 0.02;
const KEY_LEAP = 0.08;

export class Sheet extends EventTarget {
  #canvas;
  #strokes = [];
  #current = null;
  #pointer = null;
  #picture = null; // {file, bitmap}
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
    canvas.addEventListener("blur", () => this.#liftCursor());
    new ResizeObserver(() => this.redraw()).observe(canvas);
    document.documentElement.addEventListener("themechange", () => this.redraw());
  }

  get empty() {
    return !this.#strokes.length && !this.#picture;
  }

  // The larger side of what is written, as a share of the sheet; 1 for a picture.
  get extent() {
    if (this.#picture) return 1;
    const points = this.#strokes.flat();
    const side = (axis) => Math.max(...points.map((point) => point[axis])) - Math.min(...points.map((point) => point[axis]));
    return points.length ? Math.max(side(0), side(1)) : 0;
  }

  get file() {
    return this.#picture?.file ?? null;
  }

  clear() {
    this.#strokes = [];
    this.#picture = null;
    this.#current = null;
    this.#changed(true);
  }

  undo() {
    if (this.#strokes.length) this.#strokes.pop();
    else this.#picture = null;
    this.#current = null;
    this.#changed(true);
  }

  // Lays a picture on the sheet; formats that the browser cannot show are sent all the same.
  async lay(file) {
    const bitmap = await createImageBitmap(file).catch(() => null);
    this.#strokes = [];
    this.#current = null;
    this.#picture = { file, bitmap };
    this.#changed(true);
  }

  // The picture that is sent: an upload as it is, else black strokes on opaque white.
  blob() {
    return this.#picture ? this.#picture.file : this.png();
  }

  // What is kept as an example of a digit: a PNG of a size that suffices, or the file itself where the
  // browser cannot show it.
  specimen() {
    if (!this.#picture || this.#picture.bitmap) return { content: this.png(), suffix: "png" };
    return { content: this.#picture.file, suffix: this.#picture.file.name.match(/\.(\w+)$/)?.[1] ?? "img" };
  }

  png() {
    const canvas = document.createElement("canvas");
    const bitmap = this.#picture?.bitmap;
    const side = SENT_SIDE;
    const scale = bitmap ? Math.min(1, 512 / Math.max(bitmap.width, bitmap.height)) : 1;
    canvas.width = bitmap ? Math.max(1, Math.round(bitmap.width * scale)) : side;
    canvas.height = bitmap ? Math.max(1, Math.round(bitmap.height * scale)) : side;
    const context = canvas.getContext("2d");
    context.fillStyle = "#fff";
    context.fillRect(0, 0, canvas.width, canvas.height);
    if (bitmap) context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
    else this.#paint(context, side, "#000");
    // toBlob waits for the page to be idle, up to a second; while somebody writes it never is.
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
      if (this.#picture) this.#show(context, side, style);
      this.#paint(context, side, style.getPropertyValue("--ink"));
      if (this.#cursor) this.#showCursor(context, side, style);
    });
  }

  #changed(finished) {
    this.redraw();
    this.dispatchEvent(new CustomEvent("change", { detail: { finished } }));
  }

  #point(event) {
    const box = this.#canvas.getBoundingClientRect();
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
  }

  #begin(point) {
    this.#picture = null; // who writes wants the writing read
    this.#current = [point];
    this.#strokes.push(this.#current);
  }

  #down(event) {
    if (this.#pointer !== null || event.button !== 0) return; // a second finger does not draw
    this.#pointer = event.pointerId;
    this.#canvas.setPointerCapture(event.pointerId);
    this.#cursor = null;
    this.#begin(this.#point(event));
    this.#changed(false);
  }

  #move(event) {
    if (event.pointerId !== this.#pointer || !this.#current) return;
    const events = event.getCoalescedEvents?.() ?? [];
    for (const each of events.length ? events : [event]) this.#extend(this.#point(each));
    this.#changed(false);
  }

  // A point where the last one was adds nothing, and a line between two such leaves no ink on a canvas.
  #extend(point) {
    const last = this.#current.at(-1);
    if (point[0] !== last[0] || point[1] !== last[1]) this.#current.push(point);
  }

  #up(event) {
    if (event.pointerId !== this.#pointer) return;
    this.#pointer = null;
    this.#current = null;
    this.#changed(true);
  }

  #key(event) {
    const direction = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!direction && event.key !== " ") return;
    event.preventDefault();
    this.#cursor ??= [0.5, 0.5];
    if (event.key === " ") {
      if (this.#current) {
        this.#current = null;
        this.#changed(true);
      } else {
        this.#begin([...this.#cursor]);
        this.#changed(false);
      }
      return;
    }
    const step = event.shiftKey ? KEY_LEAP : KEY_STEP;
    this.#cursor = this.#cursor.map((value, axis) => Math.min(0.97, Math.max(0.03, value + step * direction[axis])));
    if (this.#current) {
      this.#extend([...this.#cursor]);
      this.#changed(false);
    } else {
      this.redraw();
    }
  }

  #liftCursor() {
    if (!this.#cursor) return;
    this.#cursor = null;
    if (this.#current && this.#pointer === null) {
      this.#current = null;
      this.#changed(true);
    } else {
      this.redraw();
    }
  }

  // Curves from midpoint to midpoint with the points as controls: smooth at any speed of the hand.
  #paint(context, side, colour) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = PEN * side;
    context.lineCap = context.lineJoin = "round";
    for (const stroke of this.#strokes) {
      const points = stroke.map(([x, y]) => [x * side, y * side]);
      context.beginPath();
      if (points.length === 1) {
        context.arc(...points[0], (PEN * side) / 2, 0, 2 * Math.PI);
        context.fill();
        continue;
      }
      context.moveTo(...points[0]);
      for (let i = 1; i < points.length - 1; i++) {
        const [x, y] = points[i];
        const [nextX, nextY] = points[i + 1];
        context.quadraticCurveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
      }
      context.lineTo(...points.at(-1));
      context.stroke();
    }
  }

  #show(context, side, style) {
    const { file, bitmap } = this.#picture;
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
    context.strokeStyle = style.getPropertyValue(this.#current ? "--for" : "--against");
    context.lineWidth = 2.5 * devicePixelRatio;
    context.stroke();
  }
}
