// Ink: strokes as smooth curves, on a canvas of any size or as the path of an SVG.
//
//   strokes (lists of [x, y] in shares of the sheet) -> paint(context, side, colour)
//                                                    -> path(stroke, side) -> <path d="...">

// The digit covers about two thirds of the sheet; this gives strokes as wide as those the network learned.
export const PEN = 0.08;

// Curves from midpoint to midpoint with the points as controls: smooth at any speed of the hand.
function trace(points, moveTo, curveTo, lineTo) {
  moveTo(...points[0]);
  for (let i = 1; i < points.length - 1; i++) {
    const [x, y] = points[i];
    const [nextX, nextY] = points[i + 1];
    curveTo(x, y, (x + nextX) / 2, (y + nextY) / 2);
  }
  lineTo(...points.at(-1));
}

const scaled = (stroke, side) => stroke.map(([x, y]) => [x * side, y * side]);

export function paint(context, strokes, side, colour) {
  context.strokeStyle = context.fillStyle = colour;
  context.lineWidth = PEN * side;
  context.lineCap = context.lineJoin = "round";
  for (const stroke of strokes) {
    const points = scaled(stroke, side);
    context.beginPath();
    if (points.length === 1) {
      context.arc(...points[0], (PEN * side) / 2, 0, 2 * Math.PI);
      context.fill();
      continue;
    }
    trace(
      points,
      (x, y) => context.moveTo(x, y),
      (...numbers) => context.quadraticCurveTo(...numbers),
      (x, y) => context.lineTo(x, y),
    );
    context.stroke();
  }
}

// Black strokes on opaque white, as they are sent and saved.
export function onPaper(strokes, side) {
  const canvas = Object.assign(document.createElement("canvas"), { width: side, height: side });
  const context = canvas.getContext("2d");
  context.fillStyle = "#fff";
  context.fillRect(0, 0, side, side);
  paint(context, strokes, side, "#000");
  return canvas;
}

// toBlob waits for the page to be idle, up to a second, which a page never is during writing.
export function toPng(canvas) {
  const base64 = canvas.toDataURL("image/png").split(",")[1];
  return new Blob([Uint8Array.from(atob(base64), (each) => each.charCodeAt(0))], { type: "image/png" });
}

export function path(stroke, side = 100) {
  const parts = [];
  const add = (letter) => (...numbers) => parts.push(letter + numbers.map((each) => each.toFixed(1)).join(" "));
  trace(scaled(stroke, side), add("M"), add("Q"), add("L")); // a round cap makes a dot of a single point
  return parts.join("");
}

const SVG = "http://www.w3.org/2000/svg";

// A drawing as an <svg> that takes the color of the text around it.
export function thumbnail(strokes) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 100 100");
  svg.setAttribute("aria-hidden", "true");
  for (const stroke of strokes) {
    const line = document.createElementNS(SVG, "path");
    line.setAttribute("d", path(stroke));
    svg.append(line);
  }
  return svg;
}

// The larger side of what is written, as a share of the sheet.
export function extent(strokes) {
  const points = strokes.flat();
  if (!points.length) return 0;
  const side = (axis) => {
    const values = points.map((point) => point[axis]);
    return Math.max(...values) - Math.min(...values);
  };
  return Math.max(side(0), side(1));
}
