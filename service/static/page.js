// The page: what is on the sheet goes to the service, its answer onto the page.
//
//   sheet "change" -> Asking -> POST predict?explain=true -> words -> digit, bars, pictures
//
// All addresses are relative, so the page works below any prefix.

import { show, showBars, showBusy, showExplanation, shownState, showNote, showNothing } from "./answer.js";
import { Asking } from "./asking.js";
import { comparedModel, setUpCompare, showSecond } from "./compare.js";
import { setUpExamples } from "./examples.js";
import { setUpExports } from "./exports.js";
import { fileName, setUpExtras, showCommand } from "./extras.js";
import { setUpIntake } from "./intake.js";
import { judgeAnew } from "./judge.js";
import { ask, hasKey, keep } from "./key.js";
import { showLayers } from "./layers.js";
import { linkedStrokes, linkReference } from "./link.js";
import { chosenModel, explanation, humanName, isLoaded, loadModels, lookForModels, showModel } from "./models.js";
import { isHopeless, prepare, smaller } from "./pictures.js";
import { readAll, setUpReading } from "./reading.js";
import { Ribbon } from "./ribbon.js";
import { Sheet } from "./sheet.js";
import { Strip } from "./strip.js";
import { setUpTeaching } from "./teach.js";
import { keepFocus, sayNow } from "./voice.js";
import { offerPairs, setUpWhyNot } from "./whynot.js";
import { trouble, verdict } from "./words.js";

const DOT = 0.1; // strokes within so small a part of the sheet are a dot: nothing to ask about
const LOOK = 3000; // milliseconds between looks for a new model, once corrections were saved
const SMALL = 0.3; // here the pen is too thick for what it writes

const $ = (id) => document.getElementById(id);
const sheet = new Sheet($("canvas"));
const ribbon = new Ribbon(showMoment);
const strip = new Strip((strokes) => sheet.write(strokes, true));
let last = null; // the answer on the page, while it is about this sheet

// ---- asking -------------------------------------------------------------------------------------

const asking = new Asking(send, {
  answer: showOutcome,
  offline: showOffline,
  busy: showBusy,
  reading: showReading,
});

async function send(signal) {
  if (sheet.picture && isHopeless(sheet.picture)) return { status: 413, reply: { status: 413 }, strokes: [] };
  const strokes = sheet.strokes.map((stroke) => [...stroke]);
  const started = performance.now();
  const post = poster(signal);
  const second = comparedModel() ? post({ model: comparedModel() }).then(readIfGood, () => null) : null;
  const response = await post({ ...model(), explain: explanation() });
  const reply = await response.json();
  const milliseconds = Math.round(performance.now() - started);
  const patience = 1000 * Number(response.headers.get("Retry-After") ?? 0);
  if (response.status === 413 && sheet.picture && (await sendSmaller(signal))) return send(signal);
  return { status: response.status, reply, second: await second, strokes, milliseconds, patience };
}

// A function that asks about what is on the sheet now.
function poster(signal) {
  const body = new FormData();
  body.append("file", sheet.blob(), fileName(sheet));
  return (parameters) => ask(`predict?${new URLSearchParams(parameters)}`, { method: "POST", body, signal });
}

const model = () => (chosenModel() ? { model: chosenModel() } : {}); // without the list the default answers

const readIfGood = (response) => (response.ok ? response.json() : null);

// The service may take less than usual: the picture is scaled down until it does.
async function sendSmaller(signal) {
  const picture = await smaller(sheet.picture);
  if (picture && !signal.aborted) sheet.refit(picture);
  return picture !== null;
}

sheet.addEventListener("change", ({ detail: { finished, kind, fresh } }) => {
  $("hint").hidden = $("examples").hidden = !sheet.empty;
  $("undo").disabled = !sheet.canUndo;
  $("redo").disabled = !sheet.canRedo;
  $("clear").disabled = sheet.empty;
  keepFocus();
  if (fresh) {
    asking.forget();
    last = null;
    ribbon.clear();
    if (kind !== "undone" && kind !== "redone") strip.next();
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
  const { reply, strokes } = outcome;
  last = outcome;
  showVerdict(outcome, settled);
  showBars(reply.probabilities, reply.digit);
  showSecond(reply, outcome.second);
  offerPairs(settled ? reply : null);
  showExplanation(reply.explanation, reply.digit);
  showLayers(reply.explanation.layers, reply.model.name);
  showCommand(sheet, reply.model.name);
  if (strokes.length) ribbon.add(strokes, reply);
  if (strokes.length && settled) strip.keep(strokes, reply);
  if (settled) linkReference(strokes);
  if (settled) $("extras").hidden = false;
  if (settled && reply.reason === "several_digits") readAll(sheet, fileName(sheet));
  if (!isLoaded(reply.model)) loadModels(showLocked); // it was replaced
}

function showVerdict({ reply, milliseconds }, settled) {
  const words = verdict(reply, { settled, small: sheet.extent < SMALL });
  show({ ...words, note: `${humanName(reply.model.name)}, ${milliseconds} ms` });
}

// A moment of the writing, while the ribbon is scrubbed; null for the present.
function showMoment(moment) {
  sheet.preview(moment?.strokes ?? null);
  if (!last) return;
  const { reply } = moment ?? last;
  showVerdict({ ...last, reply }, !moment);
  if (moment) $("detail").textContent = "This is how it looked then.";
  showBars(reply.probabilities, reply.digit);
}

function showNoAnswer() {
  showNothing();
  linkReference([]);
  offerPairs(null);
}

function showProblem(problem) {
  show({ state: "problem", digit: "!", ...trouble(problem) });
  showNoAnswer();
}

function showOffline() {
  const detail = "Your drawing stays here, and is sent when it answers again.";
  show({ state: "offline", digit: "!", headline: "The service does not answer", detail });
  showNoAnswer();
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
  showNoAnswer();
}

function showDot() {
  const detail = "So far this is hardly more than a dot.";
  show({ state: "dot", digit: "?", headline: "Write it larger", detail });
  showNoAnswer();
}

function showLocked() {
  const wrong = hasKey();
  keep("");
  const headline = wrong ? "This is not the key" : "The service asks for a key";
  show({ state: "locked", digit: "?", headline, detail: "The operator of this service has one for you." });
  showNoAnswer();
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
  offerPairs(null);
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

function showLinked() {
  const strokes = linkedStrokes();
  if (strokes) sheet.write(strokes, true);
}
addEventListener("hashchange", showLinked);

// A new model reads what was drawn and corrected here; so does another one that is chosen.
$("model").addEventListener("listed", ({ detail: { came } }) => came.forEach((name) => judgeAnew(name, strip)));
$("model").addEventListener("change", () => judgeAnew(chosenModel(), strip));
addEventListener("visibilitychange", () => document.hidden || lookForModels());
let looking = 0;

setUpCompare(askAnew);
setUpExports(sheet);
setUpReading(sheet);
setUpIntake((picture) => sheet.lay(picture));
setUpExtras(sheet);
setUpTeaching(sheet, () => (looking ||= setInterval(lookForModels, LOOK)));
setUpWhyNot((digit) => poster()({ ...model(), explain: "true", against: digit }).then(readIfGood));
setUpExamples(sheet, prepare).catch(() => {}); // the page is complete without them
showEmpty();
loadModels(showLocked);
showLinked();
