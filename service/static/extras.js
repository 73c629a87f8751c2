// The same request from a program: a curl command, and the picture that it sends.
//
//   answer, path that gave it -> a curl command that asks the same; the buttons save the picture and copy the command

import { hasKey } from "./key.js";
import { copy, download } from "./takeaway.js";

const $ = (id) => document.getElementById(id);

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

export const fileName = ({ picture }) => picture?.file.name || (picture ? "pasted.png" : "digit.png");

export function showCommand(sheet, model, path = "predict") {
  const name = fileName(sheet);
  const url = new URL(`${path}?model=${encodeURIComponent(model)}`, document.baseURI);
  const header = hasKey() ? "-H 'Authorization: Bearer YOUR-KEY' " : "";
  $("file-name").textContent = name;
  $("curl").textContent = `curl ${header}-F ${quoted(`file=@${name}`)} ${quoted(url.href)}`;
}

export function setUpExtras(sheet) {
  $("save").addEventListener("click", () => download(sheet.blob(), fileName(sheet)));
  $("copy").addEventListener("click", () => copy($("copy"), $("curl").textContent, $("curl")));
}
