// The answer on the page: the digit, the words beside it, ten bars, and the picture as the network saw it.
//
//   words (words.js) -> say what it is; probabilities -> bars; explanation -> pictures and steps
//
// Everything has its place before there is an answer, so that nothing jumps when one comes.

import { keepFocus, say } from "./voice.js";
import { percentage } from "./words.js";

const $ = (id) => document.getElementById(id);
const bars = Array.from({ length: 10 }, (_, digit) => makeBar(digit));
let shown = null; // the words on the page

function makeBar(digit) {
  const item = document.createElement("li");
  for (const name of ["name", "track", "share"]) item.append(Object.assign(document.createElement("span"), { className: name }));
  const [name, track, share] = item.children;
  name.textContent = digit;
  for (const name of ["fill", "fill second"]) track.append(Object.assign(document.createElement("span"), { className: name }));
  share.textContent = "–";
  $("bars").append(item);
  return item;
}

// words: state, digit, headline, detail, and what is said aloud, null for nothing.
export function show({ state, digit, headline, detail, spoken = `${headline}. ${detail}`, note = "" }) {
  shown = { state, digit, headline, detail };
  $("verdict").dataset.state = state;
  $("digit").textContent = digit;
  $("headline").textContent = headline;
  $("detail").textContent = detail;
  $("time").textContent = note;
  $("key-form").hidden = state !== "locked";
  if (spoken !== null) say(spoken);
}

export const shownState = () => shown?.state;

export const showNote = (text) => ($("time").textContent = text);

export const showBusy = (busy) => ($("verdict").ariaBusy = busy);

export function showBars(probabilities, best) {
  bars.forEach((bar, digit) => {
    bar.classList.toggle("best", digit === best);
    bar.style.setProperty("--share", probabilities?.[digit] ?? 0);
    bar.querySelector(".share").textContent = probabilities ? percentage(probabilities[digit]) : "–";
  });
}

// The other model's shares, as a second line in each bar.
export function showSecondBars(probabilities) {
  $("bars").classList.toggle("two", Boolean(probabilities));
  bars.forEach((bar, digit) => bar.style.setProperty("--second", probabilities?.[digit] ?? 0));
}

export function showExplanation(explanation, digit) {
  const picture = `data:image/png;base64,${explanation.picture}`;
  $("seen").src = $("seen-under").src = picture;
  $("seen").alt = "The picture cut out, scaled and centered, white on black";
  $("saliency").src = `data:image/png;base64,${explanation.saliency}`;
  $("saliency").alt = `Heat map: orange supports ${digit}, blue ${explanation.runner_up}`;
  $("for-digit").textContent = digit;
  $("against-digit").textContent = explanation.runner_up;
  $("steps").replaceChildren(...explanation.steps.map(listed));
  $("why").classList.remove("nothing");
  $("why").classList.add("once"); // from now on it keeps its place on small screens too
}

function listed(step) {
  const text = step.replace(/(\d) x (?=\d)/g, "$1\u00a0x\u00a0"); // "28 x 28" is not torn apart at a line's end
  return Object.assign(document.createElement("li"), { textContent: text });
}

export const showNothingSeen = () => $("why").classList.add("nothing");

// Takes away what belonged to an answer; its place stays.
export function showNothing() {
  showBars(null, null);
  showSecondBars(null);
  showNothingSeen();
  $("extras").hidden = true;
  keepFocus();
}
