// Teach it: drawings under their true digits, collected here until they are saved as one archive.
//
//   a click on a digit -> a correction of what is on the sheet -> corrections-....zip with 7/....png and more
//   unzip, train, publish -> a new model -> judge.js has it read the corrections again
//
// The archive holds what the trainer takes as a folder. The service keeps nothing.

import { archive } from "./archive.js";
import { copy, download } from "./takeaway.js";
import { sayNow } from "./voice.js";
import { named } from "./words.js";

const $ = (id) => document.getElementById(id);
const corrections = new Map(); // what lies on the sheet -> {digit, content, suffix}
let unsaved = false;

export const corrected = () => [...corrections.values()];

function correct(sheet, digit) {
  const known = corrections.get(sheet.current);
  if (known?.digit === digit) {
    corrections.delete(sheet.current);
    sayNow("Correction taken back.");
  } else {
    corrections.set(sheet.current, { digit, ...sheet.specimen() });
    sayNow(`Kept as ${named(digit)}.`);
  }
  unsaved = corrections.size > 0;
  show(sheet);
}

function show(sheet) {
  const label = corrections.get(sheet.current)?.digit;
  [...$("labels").children].forEach((button, digit) => (button.ariaPressed = digit === label));
  const digits = corrected().map(({ digit }) => digit).sort();
  const count = digits.length === 1 ? "1 correction" : `${digits.length} corrections`;
  $("corrections").textContent = digits.length ? `${count}: ${digits.join(", ")}` : "No corrections yet.";
  $("save-corrections").disabled = !digits.length;
}

async function save() {
  const stamp = new Date().toISOString().replace(/\D/g, "").slice(0, 17); // a name of its own for each
  const members = corrected().map(async ({ digit, content, suffix }, index) => ({
    name: `${digit}/${stamp}-${index + 1}.${suffix}`,
    content: new Uint8Array(await content.arrayBuffer()),
  }));
  download(archive(await Promise.all(members)), `corrections-${stamp}.zip`);
  unsaved = false;
}

function label(sheet, digit) {
  const button = Object.assign(document.createElement("button"), { type: "button", textContent: digit });
  button.setAttribute("aria-label", `It is ${named(digit)}`);
  button.ariaPressed = false;
  button.addEventListener("click", () => correct(sheet, digit));
  return button;
}

// onSaved: called when an archive was saved; a new model may follow.
export function setUpTeaching(sheet, onSaved) {
  $("labels").append(...Array.from({ length: 10 }, (_, digit) => label(sheet, digit)));
  $("save-corrections").addEventListener("click", () => save().then(onSaved));
  $("copy-lesson").addEventListener("click", () => copy($("copy-lesson"), $("lesson").textContent, $("lesson")));
  sheet.addEventListener("change", () => show(sheet));
  addEventListener("beforeunload", (event) => {
    if (unsaved) event.preventDefault(); // the browser asks first
  });
  show(sheet);
}
