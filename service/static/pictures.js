// Pictures from files, the clipboard or a camera, made fit to send.
//
//   file -> decoded by the browser -> as it is, or scaled down and encoded again -> {file, bitmap}
//
// A phone's photo is larger than any digit needs, and a browser reads formats that the service does not.

const MOST_BYTES = 2_000_000;
const MOST_PIXELS = 4_000_000;
const MOST_UNDECODED = 10_000_000; // bytes
const SIDE = 1600; // the longer side after scaling
const UNSIZED = 800; // of a drawing that does not say how large it is
const SMALLEST_SIDE = 200; // below this a digit in a photo can no longer be read
const READ_BY_SERVICE = ["image/png", "image/jpeg", "image/webp", "image/bmp", "image/gif", "image/tiff"];
const MAY_BE_TRANSPARENT = ["image/png", "image/webp", "image/gif", "image/avif", "image/svg+xml"];

// Not worth an upload: the service will not take it, and the page cannot make it smaller.
export const isHopeless = ({ file, bitmap }) => !bitmap && file.size > MOST_UNDECODED;

// bitmap is null where the browser cannot decode the file; the service may still be able to.
export async function prepare(file) {
  const bitmap = await decode(file);
  if (!bitmap) return { file, bitmap };
  const small = file.size <= MOST_BYTES && bitmap.width * bitmap.height <= MOST_PIXELS;
  return small && READ_BY_SERVICE.includes(file.type) ? { file, bitmap } : scaled({ file, bitmap }, SIDE);
}

// A picture half as long, or null if it would be too small to read.
export async function smaller({ file, bitmap }) {
  const side = bitmap ? Math.max(bitmap.width, bitmap.height) / 2 : 0;
  return side < SMALLEST_SIDE ? null : scaled({ file, bitmap }, side);
}

async function decode(file) {
  try {
    return await createImageBitmap(file);
  } catch {
    return decodeAsImage(file);
  }
}

// An <img> reads some formats that createImageBitmap does not, such as SVG.
async function decodeAsImage(file) {
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    const canvas = document.createElement("canvas");
    canvas.width = image.naturalWidth || UNSIZED;
    canvas.height = image.naturalHeight || UNSIZED;
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    return await createImageBitmap(canvas);
  } catch {
    return null;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

async function scaled({ file, bitmap }, side) {
  const scale = Math.min(1, side / Math.max(bitmap.width, bitmap.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(bitmap.width * scale));
  canvas.height = Math.max(1, Math.round(bitmap.height * scale));
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, canvas.width, canvas.height);
  const type = MAY_BE_TRANSPARENT.includes(file.type) ? "image/png" : "image/jpeg";
  const content = await new Promise((done) => canvas.toBlob(done, type, 0.92));
  const name = `${file.name.replace(/\.\w+$/, "") || "picture"}.${type.split("/")[1].replace("jpeg", "jpg")}`;
  return { file: new File([content], name, { type }), bitmap: await createImageBitmap(canvas) };
}
