// Try it: the drawing that came along from the page, sent from the reference; and clients to copy.
//
//   #d=... in the address, or an example -> "Send" -> POST predict -> the answer as it came
//   static/clients.json -> curl, Python, JavaScript, and an answer that was recorded

import { copied, element, section } from "./element.js";
import { onPaper, toPng } from "./ink.js";
import { ask } from "./key.js";
import { linkedStrokes } from "./link.js";
import { SENT_SIDE } from "./sheet.js";

const base = new URL(".", location).href.slice(0, -1); // what the service answers below

async function exampleStrokes() {
  const examples = await (await fetch("static/examples.json")).json();
  const { strokes } = examples.find(({ name }) => name === "A crossed 7");
  return strokes.map((stroke) => stroke.map(([x, y]) => [x / 1000, y / 1000]));
}

// A long number tells no more than a short one.
const shortened = (key, value) => (typeof value === "number" ? Number(value.toFixed(4)) : value);

function pretty(answer) {
  const text = JSON.stringify(answer, shortened, 2);
  return text.replace(/\[\s+([^[\]{}]+?)\s+\]/g, (all, inside) => `[${inside.replace(/\s+/g, " ")}]`);
}

async function send(strokes, place, status) {
  const body = new FormData();
  body.append("file", toPng(onPaper(strokes, SENT_SIDE)), "digit.png");
  const started = performance.now();
  try {
    const response = await ask("predict", { method: "POST", body });
    place.textContent = pretty(await response.json());
    status.textContent = `${response.status}, ${Math.round(performance.now() - started)} ms`;
  } catch {
    status.textContent = "The service does not answer.";
  }
}

export async function trySection() {
  const own = linkedStrokes();
  const strokes = own ?? (await exampleStrokes());
  const { answer } = await clients();
  const canvas = onPaper(strokes, SENT_SIDE);
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", own ? "Your drawing" : "A crossed 7, an example");
  const button = element("button", { type: "button" }, "Send this drawing");
  const status = element("span", { className: "small", role: "status" }, "An answer that was recorded:");
  const place = copied(answer, "the answer");
  button.addEventListener("click", () => send(strokes, place.firstElementChild, status));
  const row = element("div", { className: "row" }, button, status);
  return section("Try it", element("div", { className: "trial" }, canvas, element("div", {}, row, place)));
}

let loaded = null;
const clients = () => (loaded ??= fetch("static/clients.json").then((response) => response.json()));

export async function clientsSection() {
  const place = element("div", {});
  const { clients: all } = await clients();
  const buttons = all.map(({ language, file, code }) => {
    const button = element("button", { type: "button", "aria-pressed": "false" }, language);
    button.addEventListener("click", () => {
      for (const each of buttons) each.ariaPressed = each === button;
      place.replaceChildren(copied(code.replaceAll("$ADDRESS", base), file));
    });
    return button;
  });
  buttons[0].click();
  const row = element("div", { className: "row", role: "group", "aria-label": "Language" }, ...buttons);
  return section("From a program", row, place);
}
