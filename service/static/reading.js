// Several digits: the page reads all of them and shows where they are.
//
//   POST read -> {text, digits with boxes} -> a frame around each digit, the rest of the sheet faded
//                                          -> the number, to copy

import { show, showBars, showNothingSeen } from "./answer.js";
import { showCommand } from "./extras.js";
import { ask } from "./key.js";
import { chosenModel } from "./models.js";
import { SENT_SIDE } from "./sheet.js";

const SVG = "http://www.w3.org/2000/svg";
const AROUND = 0.015; // of the picture's longer side: room between a digit and its frame
const LONG = 12; // characters: a longer number, or several lines, are written smaller
const SAID = 1500; // milliseconds for which the button says that it has copied

const $ = (id) => document.getElementById(id);
let asked = null; // the sheet that is being read, or has been

export function setUpReading(sheet) {
  $("copy-number").addEventListener("click", copy);
  sheet.addEventListener("change", forgetReading);
}

async function copy() {
  try {
    await navigator.clipboard.writeText($("number").textContent);
    $("copy-number").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($("number")); // no permission: the number is selected for Ctrl+C
  }
  setTimeout(() => ($("copy-number").textContent = "Copy"), SAID);
}

// Reads the sheet and shows what it says, unless the sheet changes meanwhile or holds no two digits.
export async function readAll(sheet, name) {
  const mine = (asked = {});
  const body = new FormData();
  body.append("file", sheet.blob(), name);
  const model = chosenModel() ? { model: chosenModel() } : {};
  const response = await ask(`read?${new URLSearchParams(model)}`, { method: "POST", body }).catch(() => null);
  const reading = response?.ok ? await response.json() : null;
  if (mine !== asked || !reading || readDigits(reading).length < 2) return;
  showNumber(reading.text);
  showFrames(reading, sheet.picture);
  showCommand(sheet, reading.model.name, "read");
  show(words(reading));
  showBars(null, null); // those of one digit, like the pictures of what it saw
  showNothingSeen();
}

export function forgetReading() {
  asked = null;
  $("boxes").setAttribute("hidden", "");
  $("number-row").hidden = true;
}

const readDigits = ({ digits }) => digits.filter(({ accepted }) => accepted);

function words({ digits, lines }) {
  const read = readDigits({ digits });
  const least = read.reduce((one, other) => (other.confidence < one.confidence ? other : one));
  const left = digits.length - read.length;
  const count = lines.length === 1 ? `${read.length} digits` : `${read.length} digits in ${lines.length} lines`;
  const detail = `${count}, least sure of the ${least.digit}.${left ? ` ${left} left out.` : ""}`;
  const spoken = `It reads ${lines.map((line) => [...line].join(" ")).join(", ")}. ${detail}`;
  return { state: "number", digit: "", headline: "It reads", detail, spoken, note: "" };
}

function showNumber(text) {
  $("number").textContent = text;
  $("number").classList.toggle("long", text.length > LONG || text.includes("\n"));
  $("number-row").hidden = false;
}

function showFrames({ digits }, picture) {
  const size = picture ? [picture.bitmap?.width, picture.bitmap?.height] : [SENT_SIDE, SENT_SIDE];
  if (!size[0]) return; // the browser cannot show the picture
  $("boxes").replaceChildren(...frames(digits, size));
  $("boxes").setAttribute("viewBox", `0 0 ${size.join(" ")}`);
  $("boxes").removeAttribute("hidden");
}

function frames(digits, [width, height]) {
  const around = AROUND * Math.max(width, height);
  const boxes = readDigits({ digits }).map(({ box: [left, top, wide, high] }) => ({
    x: left - around,
    y: top - around,
    width: wide + 2 * around,
    height: high + 2 * around,
    rx: around,
  }));
  const mask = made("mask", { id: "unread" });
  mask.append(made("rect", { width, height, fill: "white" }), ...boxes.map((box) => made("rect", { ...box, fill: "black" })));
  const veil = made("rect", { width, height, class: "veil", mask: "url(#unread)" });
  return [mask, veil, ...boxes.map((box) => made("rect", { ...box, class: "frame" }))];
}

function made(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}
