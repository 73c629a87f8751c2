// When to ask: one question at a time, so that a slow network delays live answers but never drops them.
//
//   changed(finished) -> send() -> answer; the next question when it returns and the sheet has changed
//
// The question at pen up does not wait for a live one. Each has a number, and an answer older than the one
// shown is dropped. A question is sent again later if the service does not answer or sends Retry-After.

const PAUSE = 80; // milliseconds between live questions
const SLOW = 150; // after this long without an answer the page says that it is reading
const RETRY = 1500;
const PATIENCE = 15_000;

export class Asking {
  #send; // (signal) -> {status, ...}; rejects if there is no answer
  #show; // {answer(outcome, settled), offline(), reading(slow), busy(busy)}
  #flights = new Set();
  #asked = 0; // the number of the last question
  #shown = 0; // the number of the last question whose answer was shown
  #unasked = false;
  #finished = true;
  #lastAsked = 0;
  #timer = 0;
  #retryTimer = 0;
  #slowTimer = 0;
  #slow = false;

  constructor(send, show) {
    this.#send = send;
    this.#show = show;
  }

  changed(finished) {
    clearTimeout(this.#retryTimer);
    const first = !this.#unasked && !this.#flights.size && !finished;
    this.#unasked = true;
    this.#finished = finished;
    if (first) this.#lastAsked = performance.now(); // the first live question waits until there is some ink
    this.#show.busy(true);
    this.#next();
  }

  // Answers to earlier questions no longer matter, and no question is sent until the sheet changes.
  forget() {
    for (const flight of this.#flights) flight.abort();
    this.#flights.clear();
    this.#unasked = false;
    clearTimeout(this.#timer);
    clearTimeout(this.#retryTimer);
    this.#quiet();
    this.#show.busy(false);
  }

  #next() {
    clearTimeout(this.#timer);
    if (!this.#unasked || this.#flights.size > (this.#finished ? 1 : 0)) return;
    const wait = this.#finished ? 0 : Math.max(0, this.#lastAsked + PAUSE - performance.now());
    if (wait) this.#timer = setTimeout(() => this.#ask(), wait);
    else this.#ask();
  }

  async #ask() {
    const number = ++this.#asked;
    const flight = new AbortController();
    this.#flights.add(flight);
    this.#unasked = false;
    this.#lastAsked = performance.now();
    this.#watch();
    const patience = setTimeout(() => flight.abort(), PATIENCE);
    const outcome = await this.#send(flight.signal).catch(() => null);
    clearTimeout(patience);
    if (!this.#flights.delete(flight)) return; // forgotten meanwhile
    if (number > this.#shown) this.#answered(number, outcome);
    this.#next();
  }

  #answered(number, outcome) {
    const latest = number === this.#asked && !this.#unasked;
    this.#shown = number;
    if (latest || !this.#slow) this.#quiet();
    if (latest) this.#show.busy(false);
    if (outcome) this.#show.answer(outcome, latest && this.#finished);
    else this.#show.offline();
    if (latest && (!outcome || outcome.status === 503)) {
      const pause = Math.max(RETRY, outcome?.patience ?? 0);
      this.#retryTimer = setTimeout(() => this.changed(this.#finished), pause);
    }
  }

  #watch() {
    if (this.#slow || this.#slowTimer) return;
    this.#slowTimer = setTimeout(() => {
      this.#slow = true;
      this.#show.reading(true);
    }, SLOW);
  }

  #quiet() {
    clearTimeout(this.#slowTimer);
    this.#slowTimer = 0;
    if (this.#slow) this.#show.reading(false);
    this.#slow = false;
  }
}
