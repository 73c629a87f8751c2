// How a sheet looks on its canvas: the picture, the ink, and the ring of the keyboard's pen.
//
//   {strokes, picture, cursor, writing} -> draw(canvas, ...) in the colors of the page

import { paint, PEN } from "./ink.js";

const CORNER = 17; // pixels, as in page.css

export function draw(canvas, { strokes, picture, cursor, writing }) {
  const side = Math.max(1, Math.round(canvas.clientWidth * devicePixelRatio));
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const context = canvas.getContext("2d");
  const style = getComputedStyle(canvas);
  context.clearRect(0, 0, side, side);
  if (picture?.bitmap) showBitmap(context, side, picture.bitmap);
  else if (picture) showName(context, side, style, picture.file.name);
  paint(context, strokes, side, style.getPropertyValue("--ink"));
  if (cursor) showCursor(context, side, style, cursor, writing);
}

function showBitmap(context, side, bitmap) {
  const scale = side / Math.max(bitmap.width, bitmap.height);
  const [width, height] = [bitmap.width * scale, bitmap.height * scale];
  context.imageSmoothingEnabled = scale < 4; // an 8 x 8 picture shows its pixels
  context.save();
  context.beginPath();
  context.roundRect(0, 0, side, side, CORNER * devicePixelRatio);
  context.clip();
  context.drawImage(bitmap, (side - width) / 2, (side - height) / 2, width, height);
  context.restore();
}

function showName(context, side, style, name) {
  context.fillStyle = style.getPropertyValue("--soft");
  context.font = `${side / 22}px ${style.fontFamily}`;
  context.textAlign = "center";
  context.fillText(name || "picture", side / 2, side / 2, side * 0.9);
}

// A pen that is down is shown by width as well as by color.
function showCursor(context, side, style, [x, y], writing) {
  context.beginPath();
  context.arc(x * side, y * side, (PEN * side) / 2 + 3 * devicePixelRatio, 0, 2 * Math.PI);
  context.strokeStyle = style.getPropertyValue(writing ? "--for" : "--against");
  context.lineWidth = (writing ? 4 : 2) * devicePixelRatio;
  context.stroke();
}
