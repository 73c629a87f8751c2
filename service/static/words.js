// The page's own words: how sure an answer is, and what went wrong.
//
//   answer, settled -> verdict(...) -> {state, digit, headline, detail, spoken}
//   problem+json    -> trouble(...) -> {headline, detail}

const SURE = 0.95; // from here on "It is a 7"
const PROBABLE = 0.75; // from here on "Probably a 7"; below it is one of two

export const named = (digit) => (digit === 8 ? "an 8" : `a ${digit}`);

const capital = (text) => text[0].toUpperCase() + text.slice(1);

// Rounding must not promise certainty, so it stops at 99.9 %.
export function percentage(share) {
  const percent = 100 * share;
  if (percent < 0.05) return "0 %";
  if (percent > 99.9) return "> 99.9 %";
  return `${percent.toFixed(1)} %`;
}

const spokenShare = (share) => percentage(share).replace(">", "over");

function runnerUp({ digit, probabilities }) {
  const others = probabilities.map((share, index) => (index === digit ? -1 : share));
  return others.indexOf(Math.max(...others));
}

function reasonOf({ accepted, reason, explanation }) {
  if (accepted) return null;
  return reason ?? (explanation?.novelty > 1 ? "not_a_digit" : "unsure");
}

// settled: the pen is up and the answer is about all that was written. small: the writing is.
export function verdict(answer, { settled, small }) {
  const { digit, confidence, probabilities } = answer;
  const reason = reasonOf(answer);
  const advice = small ? " Try writing it larger." : "";
  const second = runnerUp(answer);
  const share = spokenShare(confidence);
  if (!settled) {
    const headline = reason === "not_a_digit" ? "So far: hard to say" : `So far: ${named(digit)}?`;
    return { state: "writing", digit, headline, detail: "The verdict comes when you lift the pen.", spoken: null };
  }
  if (reason === "not_a_digit") {
    const detail = `The nearest would be ${named(digit)}.${advice}`;
    return spoken({ state: "stranger", digit, headline: "This does not look like a digit", detail });
  }
  if (reason === "several_digits") {
    return spoken({ state: "several", digit, headline: "More than one digit?", detail: "Write one at a time." });
  }
  if (reason || confidence < PROBABLE) {
    const detail = `${share} for the ${digit}, ${spokenShare(probabilities[second])} for the ${second}.${advice}`;
    return spoken({ state: "unsure", digit, headline: `${capital(named(digit))} or ${named(second)}?`, detail });
  }
  if (confidence < SURE) {
    const detail = `${share} sure; it could be ${named(second)}.${advice}`;
    return spoken({ state: "probable", digit, headline: `Probably ${named(digit)}`, detail });
  }
  const detail = `${capital(share)} sure.`;
  return { state: "sure", digit, headline: `It is ${named(digit)}`, detail, spoken: `${digit}, ${share} sure` };
}

const spoken = (words) => ({ ...words, spoken: `${words.headline}. ${words.detail}` });

const TROUBLES = {
  "blank-image": ["Nothing to read here", "Try writing it larger."],
  "broken-image": ["This picture is damaged", "Try saving it again, or choose another one."],
  "empty-image": ["This file is empty", "Try choosing it again."],
  "unsupported-format": ["This file cannot be read", "Try a JPEG or PNG picture."],
  "too-many-pixels": ["This picture is too large", "Try cutting it down to the digit."],
  "unknown-model": ["This model is no longer there", "Choose another one at the top."],
};
const BUSY = ["The service is busy", "Your drawing stays here and is read in a moment."];
const UNKNOWN = ["Something went wrong", "Try it once more in a moment."];

export function trouble({ type = "", status }) {
  const known = TROUBLES[type.split("/").at(-1)];
  const [headline, detail] = known ?? (status === 413 ? TROUBLES["too-many-pixels"] : status === 503 ? BUSY : UNKNOWN);
  return { headline, detail };
}
