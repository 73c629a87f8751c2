// One history of whole sheets, so that no work is lost: a stroke, a picture or Clear is one step.
//
//   push(sheet) -> undo() <-> redo() -> current
//
// Sheets are never changed after they are pushed; they share their strokes, so a step costs little.

const LONGEST = 100;

export class History {
  #sheets;
  #at = 0;

  constructor(first) {
    this.#sheets = [first];
  }

  get current() {
    return this.#sheets[this.#at];
  }

  get canUndo() {
    return this.#at > 0;
  }

  get canRedo() {
    return this.#at < this.#sheets.length - 1;
  }

  push(sheet) {
    this.#sheets = [...this.#sheets.slice(0, this.#at + 1), sheet].slice(-LONGEST);
    this.#at = this.#sheets.length - 1;
  }

  // Puts another sheet in the place of the current one, which is not a step.
  amend(sheet) {
    this.#sheets[this.#at] = sheet;
  }

  // Return whether there was a step to take.
  undo() {
    if (!this.canUndo) return false;
    this.#at--;
    return true;
  }

  redo() {
    if (!this.canRedo) return false;
    this.#at++;
    return true;
  }
}
