// The history read again: a model that is new, or was chosen, answers the earlier drawings and corrections.
//
//   strip's drawings, corrections -> POST predict?model=NAME, one after the other -> the strip, a line of words

import { ask } from "./key.js";
import { humanName } from "./models.js";
import { corrected } from "./teach.js";

const $ = (id) => document.getElementById(id);
let latest = 0;

async function read(model, content) {
  const body = new FormData();
  body.append("file", content, "drawing.png");
  const response = await ask(`predict?${new URLSearchParams({ model })}`, { method: "POST", body }).catch(() => null);
  return response?.ok ? response.json() : null;
}

export async function judgeAnew(model, strip) {
  const mine = ++latest;
  const lessons = corrected();
  let changed = 0;
  let right = 0;
  let drawings = 0;
  for (const entry of strip.entries()) {
    const reply = await read(model, entry.png());
    if (mine !== latest) return; // another model is asked meanwhile
    if (!reply) continue;
    drawings++;
    changed += entry.judged(reply);
  }
  for (const { digit, content } of lessons) {
    const reply = await read(model, content);
    if (mine !== latest) return;
    right += reply?.digit === digit;
  }
  show(model, { drawings, changed, right, lessons: lessons.length });
}

const counted = (count, word) => `${count} ${word}${count === 1 ? "" : "s"}`;

function show(model, { drawings, changed, right, lessons }) {
  const parts = [];
  if (drawings) parts.push(`${counted(drawings, "drawing")} again: ${changed || "none"} changed`);
  if (lessons) parts.push(`${right} of ${counted(lessons, "correction")} right`);
  $("judged").textContent = parts.length ? `${humanName(model)} read ${parts.join("; ")}.` : "";
}
