// A drawing in the address: a browser that opens the link shows it, and no server ever gets it.
//
//   strokes -> bytes -> #d=... after the address -> bytes -> strokes
//
// A fragment stays in the browser. Each stroke is its length (2 bytes), then x and y of each point, a byte
// each: a 256th of the sheet is finer than the pen.

const MOST_POINTS = 5000; // a fragment that claims more is not ours

const toByte = (share) => Math.round(255 * Math.min(1, Math.max(0, share)));

export function encodeStrokes(strokes) {
  const bytes = strokes.flatMap((stroke) => {
    const points = stroke.map(([x, y]) => [toByte(x), toByte(y)]);
    const thinned = points.filter(([x, y], i) => !i || x !== points[i - 1][0] || y !== points[i - 1][1]);
    return [thinned.length >> 8, thinned.length & 255, ...thinned.flat()];
  });
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

// Returns null for anything that encodeStrokes does not write.
function decodeStrokes(text) {
  let bytes;
  try {
    bytes = Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (each) => each.charCodeAt(0));
  } catch {
    return null;
  }
  const strokes = [];
  for (let at = 0; at < bytes.length; ) {
    const count = (bytes[at] << 8) | bytes[at + 1];
    const points = bytes.subarray(at + 2, at + 2 + 2 * count);
    if (!count || count > MOST_POINTS || points.length !== 2 * count) return null;
    strokes.push(Array.from({ length: count }, (_, i) => [points[2 * i] / 255, points[2 * i + 1] / 255]));
    at += 2 + 2 * count;
  }
  return strokes.length ? strokes : null;
}

export function linkTo(strokes) {
  const url = new URL(location);
  url.hash = `d=${encodeStrokes(strokes)}`;
  return url.href;
}

// The reference gets the drawing the same way, to send it from there.
export function linkReference(strokes) {
  const address = strokes.length ? `docs#d=${encodeStrokes(strokes)}` : "docs";
  for (const link of document.querySelectorAll('a[href^="docs"]')) link.setAttribute("href", address);
}

export const linkedStrokes = () => decodeStrokes(location.hash.match(/^#d=([\w-]+)$/)?.[1] ?? "");
