// The models that the service has loaded: which one answers, and what they are called.
//
//   GET models -> the list of choices, the line about the chosen one, names for people
//              -> "listed", with the names of those that came or were replaced

import { ask } from "./key.js";

const RETRY = 1500;
const NAMES = { "mnist-28x28": "Large network", "digits-8x8": "Small network" }; // as shipped

const $ = (id) => document.getElementById(id);
let models = [];
let explanations = [];

export const humanName = (name) => NAMES[name] ?? name;

export const chosenModel = () => $("model").value; // "" until the list is there: the default answers

// What to ask with a picture: the layers too, if the service can say.
export const explanation = () => (explanations.includes("layers") ? "layers" : "true");

export const otherModels = () => models.filter(({ name }) => name !== chosenModel()).map(({ name }) => name);

export const isLoaded = ({ version }) => models.some((each) => each.version === version);

export async function loadModels(onLocked) {
  try {
    const response = await ask("models");
    if (response.status === 401) return onLocked();
    const answer = await response.json();
    list(answer);
  } catch {
    setTimeout(() => loadModels(onLocked), RETRY);
  }
}

// Looks for models that were published since; without an answer nothing changes.
export async function lookForModels() {
  const response = await ask("models").catch(() => null);
  if (response?.ok && models.length) list(await response.json());
}

function list(answer) {
  const known = new Set(models.map(identity));
  const same = known.size === answer.models.length && answer.models.every((each) => known.has(identity(each)));
  if (same) return;
  const came = known.size ? answer.models.filter((each) => !known.has(identity(each))) : [];
  models = answer.models;
  explanations = answer.explain ?? [];
  const chosen = models.some(({ name }) => name === chosenModel()) ? chosenModel() : answer.default;
  $("model").replaceChildren(...models.map(({ name }) => new Option(humanName(name), name, false, name === chosen)));
  $("model").dispatchEvent(new CustomEvent("listed", { detail: { came: came.map(({ name }) => name) } }));
  showModel();
}

const identity = ({ name, version }) => `${name} ${version}`;

export function showModel() {
  const model = models.find(({ name }) => name === chosenModel());
  if (!model) return;
  const { name, version, parameters, input, metrics } = model;
  const facts = [`${name}, version ${version}`, `sees ${input.width} × ${input.height} pixels`, `${parameters.toLocaleString("en")} weights`];
  if (metrics.accuracy && metrics.images) {
    facts.push(`${(100 * metrics.accuracy).toFixed(2)} % right on ${metrics.images.toLocaleString("en")} test images`);
  }
  $("about").textContent = facts.join(" · ");
}
