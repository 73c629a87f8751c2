// The page: what is on the sheet goes to the service, its answer onto the page.
//
//   sheet "change" -> short pause -> POST /predict?explain=true -> digit, bars, pictures, words
//
// A new question cancels the one before it, so an old answer never overwrites a new one.

import { archive } from "./archive.js";
import { ask as askService, hasKey, keep } from "./key.js";
import { Sheet } from "./sheet.js";
import { toggleTheme } from "./theme.js";

const PAUSE_WHILE_WRITING = 80; // milliseconds
const PAUSE_BEFORE_ANNOUNCING = 700; // a screen reader should not hear every stroke
const RETRY = 1500;
const DOT = 0.1; // strokes within so small a part of the sheet are a dot: nothing to ask about
const SMALL = 0.3; // here the pen is too thick for what it writes

const $ = (id) => document.getElementById(id);
const sheet = new Sheet($("canvas"));
const bars = Array.from({ length: 10 }, (_, digit) => makeBar(digit));
let question = null; // the AbortController of the request under way
let asking = false; // whether a question waits for its time
let askTimer = 0;
let announceTimer = 0;

// ---- asking -------------------------------------------------------------------------------------

sheet.addEventListener("change", (event) => {
  $("hint").hidden = !sheet.empty;
  $("undo").disabled = $("clear").disabled = sheet.empty;
  if (event.detail.finished || sheet.empty) clearTimeout(askTimer);
  if (sheet.empty) {
    question?.abort();
    asking = false;
    showEmpty();
  } else if (sheet.extent < DOT) {
    if (event.detail.finished) showDot();
  } else if (event.detail.finished) {
    ask();
  } else if (!asking) {
    $("verdict").ariaBusy = true;
    asking = true; // in the middle of a stroke too, but not for each of its points
    askTimer = setTimeout(ask, PAUSE_WHILE_WRITING);
  }
});

async function ask() {
  clearTimeout(askTimer);
  asking = false;
  question?.abort();
  if (sheet.empty || sheet.extent < DOT) return;
  $("verdict").ariaBusy = true;
  const mine = (question = new AbortController());
  const started = performance.now();
  try {
    const body = new FormData();
    body.append("file", sheet.blob(), fileName());
    const query = new URLSearchParams({ model: $("model").value, explain: "true" });
    if (!$("model").value) query.delete("model"); // the list could not be loaded: the default answers
    const response = await askService(`/predict?${query}`, { method: "POST", body, signal: mine.signal });
    const answer = await response.json();
    if (mine !== question) return;
    if (response.ok) showAnswer(answer, performance.now() - started);
    else if (response.status === 401) showLocked();
    else showProblem(answer);
    if (response.status === 503) askAgainLater(mine);
  } catch {
    if (mine !== question || mine.signal.aborted) return;
    showOffline();
    askAgainLater(mine);
  }
}

function askAgainLater(mine) {
  askTimer = setTimeout(() => mine === question && ask(), RETRY);
}

// ---- answers ------------------------------------------------------------------------------------

function showAnswer(answer, milliseconds) {
  const { digit, confidence, probabilities, accepted, explanation } = answer;
  const percent = percentage(confidence).replace(">", "over");
  const advice = sheet.extent < SMALL ? " Try writing it larger." : "";
  if (accepted) {
    verdict("sure", digit, `It is ${named(digit)}`, `${percent} sure.`, `${digit}, ${percent} sure`);
  } else if (explanation.novelty > 1) {
    const headline = "This does not look like a digit";
    verdict("stranger", digit, headline, `The nearest would be ${named(digit)}.${advice}`);
  } else {
    const headline = `Not sure: ${named(digit)} or ${named(explanation.runner_up)}?`;
    verdict("unsure", digit, headline, `${percent} for the ${digit}.${advice}`);
  }
  $("time").textContent = `${answer.model.name}, ${Math.round(milliseconds)} ms`;
  showBars(probabilities, digit);
  showExplanation(explanation, digit);
  $("extras").hidden = false;
  if (!models.some(({ version }) => version === answer.model.version)) loadModels(); // it was replaced
  const [name, url] = [fileName(), new URL(`/predict?model=${encodeURIComponent(answer.model.name)}`, location)];
  $("file-name").textContent = name;
  const header = hasKey() ? "-H 'Authorization: Bearer YOUR-KEY' " : "";
  $("curl").textContent = `curl ${header}-F ${quoted(`file=@${name}`)} ${quoted(url.href)}`;
}

function showExplanation(explanation, digit) {
  const picture = `data:image/png;base64,${explanation.picture}`;
  $("seen").src = $("seen-under").src = picture;
  $("seen").alt = "The picture cut out, scaled and centred, white on black";
  $("saliency").src = `data:image/png;base64,${explanation.saliency}`;
  $("saliency").alt = `Heat map: orange spoke for ${digit}, blue for ${explanation.runner_up}`;
  $("for-digit").textContent = digit;
  $("against-digit").textContent = explanation.runner_up;
  $("steps").replaceChildren(...explanation.steps.map(listed));
  $("why").classList.remove("nothing");
}

function listed(step) {
  const text = step.replace(/(\d) x (?=\d)/g, "$1\u00a0x\u00a0"); // "28 x 28" is not torn apart at a line's end
  return Object.assign(document.createElement("li"), { textContent: text });
}

function showProblem(problem) {
  verdict("problem", "!", problem.title ?? "The service refused", problem.detail ?? "");
  showNothing();
}

function showOffline() {
  verdict("offline", "!", "The service does not answer", "Your drawing stays; it is sent again as soon as the service is back.");
  showNothing();
}

function showEmpty() {
  verdict("empty", "?", "What will it be?", "The answer appears while you write.", "");
  showNothing();
}

function showDot() {
  question?.abort();
  verdict("dot", "?", "Write it larger", "So far this is hardly more than a dot.");
  showNothing();
}

function showLocked() {
  const wrong = hasKey();
  keep("");
  verdict("locked", "?", wrong ? "This is not the key" : "The service asks for a key", "Whoever runs it has one for you.");
  showNothing();
  $("key-form").hidden = false;
  $("models-link").hidden = true; // an address cannot carry the key
  $("key").focus({ preventScroll: true });
}

function showNothing() {
  showBars(Array(10).fill(0), null);
  $("why").classList.add("nothing"); // its place stays, so that nothing jumps when the answer comes
  $("extras").hidden = true;
}

function verdict(state, digit, headline, detail, spoken = `${headline}. ${detail}`) {
  $("verdict").dataset.state = state;
  $("verdict").ariaBusy = asking; // false once this answers all that was written
  $("digit").textContent = digit;
  $("headline").textContent = headline;
  $("detail").textContent = detail;
  $("time").textContent = "";
  $("key-form").hidden = true;
  clearTimeout(announceTimer);
  announceTimer = setTimeout(() => {
    $("announcement").textContent = spoken;
  }, PAUSE_BEFORE_ANNOUNCING);
}

function makeBar(digit) {
  const item = document.createElement("li");
  for (const name of ["name", "track", "share"]) item.append(Object.assign(document.createElement("span"), { className: name }));
  item.children[0].textContent = digit;
  item.children[1].append(Object.assign(document.createElement("div"), { className: "fill" }));
  item.children[2].textContent = "–";
  $("bars").append(item);
  return item;
}

function showBars(probabilities, best) {
  bars.forEach((bar, digit) => {
    bar.classList.toggle("best", digit === best);
    bar.style.setProperty("--share", probabilities[digit]);
    bar.querySelector(".share").textContent = best === null ? "–" : percentage(probabilities[digit]);
  });
}

function percentage(share) {
  const percent = 100 * share;
  if (percent < 0.05) return "0 %";
  if (percent > 99.9) return "> 99.9 %"; // rounding must not promise certainty
  return `${percent.toFixed(1)} %`;
}

const named = (digit) => (digit === 8 ? "an 8" : `a ${digit}`);

const quoted = (text) => (/^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

const fileName = () => sheet.file?.name || (sheet.file ? "pasted.png" : "digit.png");

// ---- pictures from elsewhere --------------------------------------------------------------------

$("open").addEventListener("click", () => $("file").click());
$("photograph").addEventListener("click", () => $("camera").click());
for (const input of [$("file"), $("camera")]) {
  input.addEventListener("change", () => {
    if (input.files.length) sheet.lay(input.files[0]);
    input.value = ""; // choosing the same file again is a change as well
  });
}
addEventListener("paste", (event) => {
  const file = [...(event.clipboardData?.files ?? [])].find((each) => each.type.startsWith("image/"));
  if (file) sheet.lay(file);
});
addEventListener("dragover", (event) => {
  event.preventDefault();
  $("paper").classList.add("dropping");
});
addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("paper").classList.remove("dropping");
});
addEventListener("drop", (event) => {
  event.preventDefault(); // or the browser would leave the page to show the picture
  $("paper").classList.remove("dropping");
  const file = event.dataTransfer?.files[0];
  if (file) sheet.lay(file);
});

// ---- buttons and keys ---------------------------------------------------------------------------

$("undo").addEventListener("click", () => sheet.undo());
$("clear").addEventListener("click", () => {
  sheet.clear();
  $("canvas").focus({ preventScroll: true });
});
$("theme").addEventListener("click", toggleTheme);
$("model").addEventListener("change", () => {
  ask();
  showModel();
});
$("key-form").addEventListener("submit", (event) => {
  event.preventDefault();
  keep($("key").value);
  $("key").value = "";
  if (sheet.empty) showEmpty();
  loadModels();
  ask();
});
addEventListener("keydown", (event) => {
  if (event.target instanceof HTMLSelectElement || event.target instanceof HTMLInputElement) return;
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "z") {
    event.preventDefault();
    sheet.undo();
  } else if (event.key === "Delete" || event.key === "Backspace") {
    sheet.clear();
  }
});

$("labels").append(
  ...Array.from({ length: 10 }, (_, digit) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: digit });
    button.setAttribute("aria-label", `It is ${named(digit)}: save it as such`);
    button.addEventListener("click", () => saveLabelled(digit));
    return button;
  }),
);

async function saveLabelled(digit) {
  const { content, suffix } = sheet.specimen();
  const stamp = new Date().toISOString().replace(/\D/g, "").slice(0, 17); // a name of its own for each
  const bytes = new Uint8Array(await content.arrayBuffer());
  download(archive(`${digit}/${stamp}.${suffix}`, bytes), `digit-${digit}-${stamp}.zip`);
}

$("save").addEventListener("click", () => download(sheet.blob(), fileName()));
$("copy").addEventListener("click", async () => {
  try {
    await navigator.clipboard.writeText($("curl").textContent);
    $("copy").textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($("curl")); // no permission: the text is selected for Ctrl+C
  }
  setTimeout(() => ($("copy").textContent = "Copy command"), 1500);
});

function download(blob, name) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

// ---- models -------------------------------------------------------------------------------------

let models = [];

async function loadModels() {
  try {
    const response = await askService("/models");
    if (response.status === 401) return showLocked();
    const answer = await response.json();
    models = answer.models;
    const names = models.map(({ name }) => name);
    const chosen = names.includes($("model").value) ? $("model").value : answer.default;
    $("model").replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
    showModel();
  } catch {
    setTimeout(loadModels, RETRY);
  }
}

function showModel() {
  const model = models.find(({ name }) => name === $("model").value);
  if (!model) return;
  const { name, version, parameters, input, metrics } = model;
  const facts = [`${name}, version ${version}`, `sees ${input.width} × ${input.height} pixels`, `${parameters.toLocaleString("en")} weights`];
  if (metrics.accuracy && metrics.images) facts.push(`${(100 * metrics.accuracy).toFixed(2)} % right on ${metrics.images.toLocaleString("en")} test images`);
  $("about").textContent = facts.join(" · ");
}

showEmpty();
loadModels();
