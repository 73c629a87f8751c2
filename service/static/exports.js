// The drawing to take away: a link that holds it, a PNG, an SVG.
//
//   strokes -> #d=... in the address and the clipboard; strokes -> digit.png, digit.svg

import { onPaper, path, PEN, toPng } from "./ink.js";
import { linkTo } from "./link.js";
import { copy, download } from "./takeaway.js";

const SIDE = 1024;

const $ = (id) => document.getElementById(id);

function toSvg(strokes) {
  const lines = strokes.map((stroke) => `<path d="${path(stroke, SIDE)}"/>`).join("\n");
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${SIDE}" height="${SIDE}" viewBox="0 0 ${SIDE} ${SIDE}">
<rect width="${SIDE}" height="${SIDE}" fill="#fff"/>
<g fill="none" stroke="#000" stroke-width="${(PEN * SIDE).toFixed(1)}" stroke-linecap="round" stroke-linejoin="round">
${lines}
</g>
</svg>
`;
}

function copyLink(strokes) {
  const link = linkTo(strokes);
  history.replaceState(null, "", link); // to be bookmarked, too
  copy($("link"), link);
}

export function setUpExports(sheet) {
  $("link").addEventListener("click", () => copyLink(sheet.strokes));
  $("save-png").addEventListener("click", () => download(toPng(onPaper(sheet.strokes, SIDE)), "digit.png"));
  $("save-svg").addEventListener("click", () => {
    download(new Blob([toSvg(sheet.strokes)], { type: "image/svg+xml" }), "digit.svg");
  });
  sheet.addEventListener("change", () => {
    for (const name of ["link", "save-png", "save-svg"]) $(name).disabled = !sheet.strokes.length;
  });
}
