// The network live: each hidden layer as tiles, one for each unit, as bright as the unit is active.
//
//   explanation.layers [{units, activation, values: base64 of a byte a unit, largest}] -> one pixel a unit
//   pointing at a unit -> GET models/NAME/units/LAYER/UNIT (a PNG) -> its weights over what the network saw
//
// The service says in GET models whether it can ("explain": [..., "layers"]); without it nothing is shown.

import { ask } from "./key.js";

const PAUSE = 60; // milliseconds of pointing before the weights are fetched
const MOST_KEPT = 200;

const $ = (id) => document.getElementById(id);
const tiles = [];
const weights = new Map(); // address -> blob: URL
let model = null;
let wanted = "";
let timer = 0;

class Tiles {
  #figure;
  #canvas;
  #index;
  #values = null;
  #largest = 0;
  #at = 0;

  constructor(index) {
    this.#index = index;
    this.#figure = document.createElement("figure");
    this.#canvas = Object.assign(document.createElement("canvas"), { className: "tiles", tabIndex: 0 });
    this.#canvas.setAttribute("role", "application"); // arrow keys go from unit to unit
    this.caption = document.createElement("figcaption");
    this.#figure.append(this.#canvas, this.caption);
    this.#canvas.addEventListener("pointermove", (event) => this.#point(event));
    this.#canvas.addEventListener("keydown", (event) => this.#key(event));
    this.#canvas.addEventListener("focus", () => this.#choose(this.#at));
    for (const name of ["pointerleave", "blur"]) this.#canvas.addEventListener(name, () => this.#leave());
    $("layers").append(this.#figure);
  }

  show({ units, values, largest }) {
    this.#values = Uint8Array.from(atob(values), (each) => each.charCodeAt(0));
    this.#largest = largest;
    const columns = Math.ceil(Math.sqrt(units * 2));
    const rows = Math.ceil(units / columns);
    if (this.#canvas.width !== columns || this.#canvas.height !== rows) {
      Object.assign(this.#canvas, { width: columns, height: rows });
      this.#canvas.setAttribute("aria-label", `Hidden layer ${this.#index}, ${units} units`);
    }
    const pixels = new ImageData(columns, rows);
    this.#values.forEach((value, unit) => pixels.data.set([255, 255, 255, value], 4 * unit));
    this.#canvas.getContext("2d").putImageData(pixels, 0, 0);
    const active = this.#values.reduce((count, value) => count + (value > 0), 0);
    this.summary = `Layer ${this.#index}: ${active} of ${units} units are active`;
    if (!wanted) this.caption.textContent = this.summary;
  }

  #point({ offsetX, offsetY }) {
    const { width, height, clientWidth, clientHeight } = this.#canvas;
    const column = Math.min(width - 1, Math.max(0, Math.floor((offsetX / clientWidth) * width)));
    this.#choose(Math.min(height - 1, Math.max(0, Math.floor((offsetY / clientHeight) * height))) * width + column);
  }

  #key(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1, ArrowUp: -this.#canvas.width, ArrowDown: this.#canvas.width }[event.key];
    if (!step) return;
    event.preventDefault();
    this.#choose(this.#at + step);
  }

  #choose(unit) {
    if (!this.#values || unit < 0 || unit >= this.#values.length) return;
    this.#at = unit;
    const value = ((this.#values[unit] / 255) * this.#largest).toFixed(2);
    this.caption.textContent = `Layer ${this.#index}, unit ${unit + 1}: ${value}`;
    const address = `models/${encodeURIComponent(model)}/units/${this.#index}/${unit}`;
    wanted = address;
    clearTimeout(timer);
    timer = setTimeout(() => showWeights(address), PAUSE);
  }

  #leave() {
    clearTimeout(timer);
    wanted = "";
    $("weights").hidden = true;
    this.caption.textContent = this.summary ?? "";
  }
}

async function showWeights(address) {
  if (!weights.has(address)) {
    const response = await ask(address).catch(() => null);
    if (!response?.ok) return;
    if (weights.size >= MOST_KEPT) forgetWeights();
    weights.set(address, URL.createObjectURL(await response.blob()));
  }
  if (address !== wanted) return;
  $("weights").src = weights.get(address);
  $("weights").hidden = false;
}

function forgetWeights() {
  for (const url of weights.values()) URL.revokeObjectURL(url);
  weights.clear();
}

// layers: from the explanation, undefined where the service does not send them.
export function showLayers(layers, name) {
  if (model !== name) forgetWeights();
  model = name;
  $("network").hidden = !layers;
  layers?.forEach((layer, i) => (tiles[i] ??= new Tiles(i + 1)).show(layer));
}
