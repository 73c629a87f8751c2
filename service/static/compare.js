// Two models side by side: the second one's answer as a thin line in each bar, and in words.
//
//   the list "Compare with..." -> comparedModel() -> page.js asks both -> showSecond(first, second)

import { showSecondBars } from "./answer.js";
import { humanName, otherModels } from "./models.js";
import { named, percentage } from "./words.js";

const $ = (id) => document.getElementById(id);

export const comparedModel = () => $("other").value;

function listOthers() {
  const chosen = comparedModel();
  const names = otherModels();
  const none = new Option("Compare with…", "", false, !names.includes(chosen));
  $("other").replaceChildren(none, ...names.map((name) => new Option(`with ${humanName(name)}`, name, false, name === chosen)));
  $("compare").hidden = !names.length;
  $("second").hidden = !comparedModel();
}

const inWords = ({ model, digit, confidence }) => `${humanName(model.name)}: ${named(digit)}, ${percentage(confidence)}`;

// second: null where it was not asked, or did not answer.
export function showSecond(first, second) {
  showSecondBars(second?.probabilities ?? null);
  $("second").classList.toggle("differs", Boolean(second) && first.digit !== second.digit);
  if (!second) $("second").textContent = comparedModel() ? "–" : "";
  else $("second").textContent = `${first.digit === second.digit ? "They agree" : "They differ"}. ${inWords(second)}`;
}

export function setUpCompare(onChange) {
  const changed = () => {
    listOthers();
    showSecond(null, null);
    onChange();
  };
  $("other").addEventListener("change", changed);
  $("model").addEventListener("change", listOthers);
  $("model").addEventListener("listed", listOthers);
}
