// What a screen reader hears, and where the keyboard is.
//
//   say(text)    -> after a pause, the answer; never the same words twice in a row
//   sayNow(text) -> what a key just did: the pen is down, the sheet is cleared
//   keepFocus()  -> the focus goes to the sheet when the control that had it is hidden or disabled

const PAUSE = 700; // so that not every stroke is spoken

const answers = document.getElementById("announcement");
const deeds = document.getElementById("deed");
let timer = 0;

export function say(text) {
  clearTimeout(timer);
  timer = setTimeout(() => {
    if (answers.textContent !== text) answers.textContent = text;
  }, PAUSE);
}

export function sayNow(text) {
  deeds.textContent = deeds.textContent === text ? `${text}\u00a0` : text; // said again although it is the same
}

export function keepFocus() {
  const focused = document.activeElement;
  if (focused?.matches(":disabled") || focused?.closest("[hidden], .nothing")) {
    document.getElementById("canvas").focus({ preventScroll: true });
  }
}
