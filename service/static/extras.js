// What one can do with an answer: save the drawing under its true digit, or ask again from a shell.
//
//   a click on a digit -> digit-7-....zip with 7/....png, where the trainer looks for a seven
//   answer             -> a curl command that asks the same

import { archive } from "./archive.js";
import { hasKey } from "./key.js";
import { named } from "./words.js";

const $ = (id) => document.getElementById(id);

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export const fileName = ({ picture }) => picture?.file.name || (picture ? "pasted.png" : "digit.png");

export function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function showCommand(sheet, model) {
  const name = fileName(sheet);
  const url = new URL(`predict?model=${encodeURIComponent(model)}`, document.baseURI);
  const header = hasKey() ? "-H 'Authorization: Bearer YOUR-KEY' " : "";
  $("file-name").textContent = name;
  $("curl").textContent = `curl ${header}-F ${quoted(`file=@${name}`)} ${quoted(url.href)}`;
}

async function saveLabelled(sheet, digit) {
  const { content, suffix } = sheet.specimen();
  const stamp = new Date().toISOString().replace(/\D/g, "").slice(0, 17); // a name of its own for each
  const bytes = new Uint8Array(await content.arrayBuffer());
  download(archive(`${digit}/${stamp}.${suffix}`, bytes), `digit-${digit}-${stamp}.zip`);
}

function label(sheet, digit) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: digit });
  button.setAttribute("aria-label", `It is ${named(digit)}: save it as such`);
  button.addEventListener("click", () => saveLabelled(sheet, digit));
  return button;
}

async function copyCommand() {
  try {
    await navigator.clipboard.writeText($("curl").textContent);
    $("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($("curl")); // no permission: the text is selected for Ctrl+C
  }
  setTimeout(() => ($("copy").textContent = "Copy command"), 1500);
}

export function setUpExtras(sheet) {
  $("labels").append(...Array.from({ length: 10 }, (_, digit) => label(sheet, digit)));
  $("save").addEventListener("click", () => download(sheet.blob(), fileName(sheet)));
  $("copy").addEventListener("click", copyCommand);
}
