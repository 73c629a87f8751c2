// "Why not a 9?": a click on a bar compares the answer with that digit.
//
//   click -> POST predict?explain=true&against=9 -> the heat map of the pair, and a small change that would tip it
//
// Another click on the bar ends it, and so does the next answer.

import { showExplanation } from "./answer.js";
import { sayNow } from "./voice.js";
import { named } from "./words.js";

const $ = (id) => document.getElementById(id);
let buttons = [];
let answer = null; // the reply that the bars show
let compared = null; // the digit that it is compared with
let latest = 0;

// The bars are about this reply from now on; null for none.
export function offerPairs(reply) {
  const wasCompared = compared !== null;
  latest++;
  answer = reply;
  compared = null;
  buttons.forEach((button, digit) => {
    button.disabled = !reply || digit === reply.digit;
    button.ariaPressed = false;
  });
  if (wasCompared) hideChange();
}

async function compare(digit, askAgainst) {
  const given = answer;
  if (digit === compared) {
    offerPairs(given);
    return showExplanation(given.explanation, given.digit);
  }
  const mine = ++latest;
  const reply = await askAgainst(digit).catch(() => null);
  if (mine !== latest || !reply?.explanation) return;
  compared = digit;
  buttons.forEach((button, each) => (button.ariaPressed = each === digit));
  showExplanation(reply.explanation, reply.digit);
  showChange(reply.explanation.change, digit);
}

function showChange(change, digit) {
  const words = change
    ? `To be ${named(digit)}: orange added, blue removed, ${Math.max(1, Math.round(100 * change.ink))} % of the ink`
    : `No small change makes it ${named(digit)}`;
  $("seen-caption").textContent = words;
  $("change").hidden = !change;
  if (change) $("change").src = `data:image/png;base64,${change.picture}`;
  sayNow(`${words}.`);
}

function hideChange() {
  $("seen-caption").textContent = "What it saw";
  $("change").hidden = true;
}

function makeButton(digit, askAgainst) {
  const words = `Why not ${named(digit)}?`;
  const button = Object.assign(document.createElement("button"), { type: "button", className: "why-not", title: words });
  button.setAttribute("aria-label", words);
  button.disabled = true;
  button.addEventListener("click", () => compare(digit, askAgainst));
  return button;
}

// askAgainst: (digit) -> the reply about what is on the sheet, compared with that digit; null for none.
export function setUpWhyNot(askAgainst) {
  const bars = [...$("bars").children];
  buttons = bars.map((_, digit) => makeButton(digit, askAgainst));
  bars.forEach((bar, digit) => bar.append(buttons[digit]));
}
