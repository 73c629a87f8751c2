// The page: what is on the sheet goes to the service, its answer onto the page.
//
//   sheet "change" -> Asking -> POST predict?explain=true -> words -> digit, bars, pictures
//
// All addresses are relative, so the page works below any prefix.

import { show, showBars, showBusy, showExplanation, shownState, showNote, showNothing } from "./answer.js";
import { Asking } from "./asking.js";
import { fileName, setUpExtras, showCommand } from "./extras.js";
import { setUpIntake } from "./intake.js";
import { ask, hasKey, keep } from "./key.js";
import { chosenModel, humanName, isLoaded, loadModels, showModel } from "./models.js";
import { smaller } from "./pictures.js";
import { Sheet } from "./sheet.js";
import { keepFocus, sayNow } from "./voice.js";
import { trouble, verdict } from "./words.js";

const DOT = 0.1; // strokes within so small a part of the sheet are a dot: nothing to ask about
const SMALL = 0.3; // here the pen is too thick for what it writes

const $ = (id) => document.getElementById(id);
const sheet = new Sheet($("canvas"));
let last = null; // the answer on the page, while it is about this sheet

// ---- asking -------------------------------------------------------------------------------------

const asking = new Asking(send, {
  answer: showOutcome,
  offline: showOffline,
  busy: showBusy,
  reading: showReading,
});

async function send(signal) {
  const body = new FormData();
  body.append("file", sheet.blob(), fileName(sheet));
  const query = new URLSearchParams({ model: chosenModel(), explain: "true" });
  if (!chosenModel()) query.delete("model"); // the list could not be loaded: the default answers
  const started = performance.now();
  const response = await ask(`predict?${query}`, { method: "POST", body, signal });
  const reply = await response.json();
  const milliseconds = Math.round(performance.now() - started);
  const patience = 1000 * Number(response.headers.get("Retry-After") ?? 0);
  if (response.status === 413 && sheet.picture && (await sendSmaller(signal))) return send(signal);
  return { status: response.status, reply, milliseconds, patience };
}

// The service may take less than usual: the picture is scaled down until it does.
async function sendSmaller(signal) {
  const picture = await smaller(sheet.picture);
  if (picture && !signal.aborted) sheet.refit(picture);
  return picture !== null;
}

sheet.addEventListener("change", ({ detail: { finished, kind, fresh } }) => {
  $("hint").hidden = !sheet.empty;
  $("undo").disabled = !sheet.canUndo;
  $("redo").disabled = !sheet.canRedo;
  $("clear").disabled = sheet.empty;
  keepFocus();
  if (fresh) {
    asking.forget();
    last = null;
  }
  if (sheet.empty) {
    showEmpty();
  } else if (sheet.extent < DOT) {
    asking.forget();
    if (finished) showDot();
    else if (fresh) showEmpty();
  } else {
    if (!finished && last && shownState() !== "writing") showVerdict(last, false);
    asking.changed(finished);
  }
  if (["cleared", "undone", "redone"].includes(kind)) sayNow(`${kind[0].toUpperCase()}${kind.slice(1)}.`);
});
sheet.addEventListener("pen", ({ detail: { down } }) => sayNow(down ? "Pen down." : "Pen up."));

// ---- answers ------------------------------------------------------------------------------------

function showOutcome(outcome, settled) {
  const { status, reply } = outcome;
  if (status === 200) showAnswer(outcome, settled);
  else if (status === 401) showLocked();
  else if (settled) showProblem(reply);
}

function showAnswer(outcome, settled) {
  const { reply } = outcome;
  last = outcome;
  showVerdict(outcome, settled);
  showBars(reply.probabilities, reply.digit);
  showExplanation(reply.explanation, reply.digit);
  showCommand(sheet, reply.model.name);
  if (!isLoaded(reply.model)) loadModels(showLocked); // it was replaced
}

function showVerdict({ reply, milliseconds }, settled) {
  const words = verdict(reply, { settled, small: sheet.extent < SMALL });
  show({ ...words, note: `${humanName(reply.model.name)}, ${milliseconds} ms` });
}

function showProblem(problem) {
  show({ state: "problem", digit: "!", ...trouble(problem) });
  showNothing();
}

function showOffline() {
  const detail = "Your drawing stays here. It is sent again as soon as the service is back.";
  show({ state: "offline", digit: "!", headline: "The service does not answer", detail });
  showNothing();
}

function showReading(slow) {
  if (!slow || shownState() === "offline") return;
  if (!last && !sheet.empty) {
    show({ state: "reading", digit: "?", headline: "Reading…", detail: "One moment.", spoken: null });
    showBars(null, null);
  } else {
    showNote("Reading…");
  }
}

function showEmpty() {
  const detail = "The answer appears while you write.";
  show({ state: "empty", digit: "?", headline: "What will it be?", detail, spoken: "" });
  showNothing();
}

function showDot() {
  const detail = "So far this is hardly more than a dot.";
  show({ state: "dot", digit: "?", headline: "Write it larger", detail });
  showNothing();
}

function showLocked() {
  const wrong = hasKey();
  keep("");
  const headline = wrong ? "This is not the key" : "The service asks for a key";
  show({ state: "locked", digit: "?", headline, detail: "Whoever runs it has one for you." });
  showNothing();
  $("models-link").hidden = true; // an address cannot carry the key
  $("key").focus({ preventScroll: true });
}

// ---- buttons and keys ---------------------------------------------------------------------------

$("undo").addEventListener("click", () => sheet.undo());
$("redo").addEventListener("click", () => sheet.redo());
$("clear").addEventListener("click", () => {
  sheet.clear();
  $("canvas").focus({ preventScroll: true });
});
$("model").addEventListener("change", () => {
  askAnew();
  showModel();
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep($("key").value);
  $("key").value = "";
  if (sheet.empty) showEmpty();
  loadModels(showLocked);
  askAnew();
});

function askAnew() {
  last = null;
  asking.forget();
  if (!sheet.empty && sheet.extent >= DOT) asking.changed(!sheet.writing);
}

addEventListener("keydown", (event) => {
  document.documentElement.dataset.keys = "used"; // shows the help for the keyboard where a finger hid it
  if (event.target instanceof HTMLInputElement || !(event.ctrlKey || event.metaKey)) return;
  const key = event.key.toLowerCase();
  if (key !== "z" && key !== "y") return;
  event.preventDefault();
  if (key === "y" || event.shiftKey) sheet.redo();
  else sheet.undo();
});

addEventListener("online", askAnew);

setUpIntake((picture) => sheet.lay(picture));
setUpExtras(sheet);
showEmpty();
loadModels(showLocked);
