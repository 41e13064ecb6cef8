// The analysed picture with what was seen in it, drawn in one go from one message, so that boxes never run behind the picture.
//
// A message is: 4 bytes (big-endian length of the JSON), the graph snapshot as JSON, the JPEG.

import { colourOf, humanPredicate, thingName } from "./words.js";

const FONT = "system-ui, sans-serif";
const PILL_HEIGHT = 20;
const SMALL_PILL_HEIGHT = 16;
const SMALL_BELOW_PX = 480;
const DIMMED = 0.18;

export function splitMessage(buffer) {
  const length = new DataView(buffer).getUint32(0);
  const graph = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  return { graph, jpeg: new Blob([new Uint8Array(buffer, 4 + length)], { type: "image/jpeg" }) };
}

export class Picture {
  constructor(canvas) {
    this.canvas = canvas;
    this.context = canvas.getContext("2d");
    this.image = null;
    this.graph = null;
    this.focus = new Set();
    this.busy = false;
    this.waiting = null;
    this.watcher = new ResizeObserver(() => this.draw());
    this.watcher.observe(canvas);
  }

  // Shows the newest message; one that comes while another is decoded takes the place of any that waits.
  async show(buffer, onShown) {
    if (this.busy) {
      this.waiting = { buffer, onShown };
      return;
    }
    this.busy = true;
    try {
      const { graph, jpeg } = splitMessage(buffer);
      const image = await createImageBitmap(jpeg);
      this.image?.close();
      this.image = image;
      this.graph = graph;
      this.draw();
      onShown(graph, image);
    } finally {
      this.busy = false;
    }
    const next = this.waiting;
    this.waiting = null;
    if (next) await this.show(next.buffer, next.onShown);
  }

  clear() {
    this.waiting = null;
    this.image?.close();
    this.image = null;
    this.graph = null;
    this.context.clearRect(0, 0, this.canvas.width, this.canvas.height);
  }

  highlight(ids) {
    this.focus = new Set(ids);
    this.draw();
  }

  draw() {
    if (!this.image) return;
    const { canvas, context } = this;
    const scale = window.devicePixelRatio || 1;
    const width = canvas.clientWidth;
    const height = width * this.image.height / this.image.width;
    if (width === 0) return;
    const pixelWidth = Math.round(width * scale);
    const pixelHeight = Math.round(height * scale);
    if (canvas.width !== pixelWidth || canvas.height !== pixelHeight) {
      canvas.width = pixelWidth;
      canvas.height = pixelHeight;
      canvas.style.aspectRatio = `${this.image.width} / ${this.image.height}`;
    }
    context.setTransform(scale, 0, 0, scale, 0, 0);
    context.imageSmoothingQuality = "high";
    context.drawImage(this.image, 0, 0, width, height);
    this.#drawGraph(width, height);
  }

  #drawGraph(width, height) {
    this.pillHeight = width < SMALL_BELOW_PX ? SMALL_PILL_HEIGHT : PILL_HEIGHT;
    const places = new Map(this.graph.nodes.map((node) => [node.id, placeOf(node, width, height)]));
    const pills = [];
    for (const place of places.values()) this.#drawBox(place);
    for (const bundle of bundles(this.graph.edges)) pills.push(this.#drawLine(bundle, places));
    const taken = [];
    for (const place of places.values()) this.#drawName(place, width, height, taken);
    for (const pill of pills) if (pill) this.#drawPredicates(pill, width, height, taken);
    this.context.globalAlpha = 1;
  }

  #alphaOf(...ids) {
    return this.focus.size === 0 || ids.every((id) => this.focus.has(id)) ? 1 : DIMMED;
  }

  #drawBox({ node, x, y, w, h }) {
    const { context } = this;
    context.globalAlpha = this.#alphaOf(node.id);
    context.lineJoin = "round";
    context.strokeStyle = "rgb(0 0 0 / .55)";
    context.lineWidth = 4;
    context.strokeRect(x, y, w, h);
    context.strokeStyle = colourOf(node.id);
    context.lineWidth = 2;
    context.strokeRect(x, y, w, h);
  }

  #drawName({ node, x, y }, width, height, taken) {
    const { context } = this;
    context.font = `600 ${this.pillHeight - 8}px ${FONT}`;
    context.globalAlpha = this.#alphaOf(node.id);
    const text = thingName(node);
    const pill = fitPill(x - 1, y - this.pillHeight, context.measureText(text).width + 12, this.pillHeight, width, height, taken);
    context.fillStyle = colourOf(node.id, 0.94);
    roundedRect(context, pill, 4);
    context.fillStyle = "#0b0f14";
    context.textBaseline = "middle";
    context.fillText(text, pill.x + 6, pill.y + this.pillHeight / 2 + 0.5);
  }

  #drawLine({ subject, object, predicates }, places) {
    const from = places.get(subject);
    const to = places.get(object);
    if (!from || !to) return null;
    const { context } = this;
    const bend = bendOf(from, to);
    context.globalAlpha = this.#alphaOf(subject, object);
    for (const [style, lineWidth] of [["rgb(0 0 0 / .6)", 4], ["rgb(255 255 255 / .92)", 1.75]]) {
      context.strokeStyle = style;
      context.lineWidth = lineWidth;
      context.beginPath();
      context.moveTo(from.cx, from.cy);
      context.quadraticCurveTo(bend.x, bend.y, to.cx, to.cy);
      context.stroke();
    }
    drawHead(context, bend, to);
    const middle = { x: (from.cx + 2 * bend.x + to.cx) / 4, y: (from.cy + 2 * bend.y + to.cy) / 4 };
    return { subject, object, middle, text: predicates.map(humanPredicate).join(" · ") };
  }

  #drawPredicates({ subject, object, middle, text }, width, height, taken) {
    const { context } = this;
    context.font = `500 ${this.pillHeight - 8}px ${FONT}`;
    context.globalAlpha = this.#alphaOf(subject, object);
    const wide = context.measureText(text).width + 14;
    const pill = fitPill(middle.x - wide / 2, middle.y - this.pillHeight / 2, wide, this.pillHeight, width, height, taken);
    context.fillStyle = "rgb(11 15 20 / .88)";
    roundedRect(context, pill, pill.h / 2);
    context.fillStyle = "#f2f6fb";
    context.textBaseline = "middle";
    context.fillText(text, pill.x + 7, pill.y + this.pillHeight / 2 + 0.5);
  }
}

function placeOf(node, width, height) {
  const [x0, y0, x1, y1] = node.box;
  const place = { node, x: x0 * width, y: y0 * height, w: (x1 - x0) * width, h: (y1 - y0) * height };
  return { ...place, cx: place.x + place.w / 2, cy: place.y + place.h / 2 };
}

// All predicates from one thing to another share a line.
function bundles(edges) {
  const found = new Map();
  for (const { subject, object, predicate } of edges) {
    const key = `${subject} ${object}`;
    if (!found.has(key)) found.set(key, { subject, object, predicates: [] });
    found.get(key).predicates.push(predicate);
  }
  return found.values();
}

// The control point of the curve lies to the left of the way, so that a line and its way back do not lie on each other.
function bendOf(from, to) {
  const dx = to.cx - from.cx;
  const dy = to.cy - from.cy;
  return { x: (from.cx + to.cx) / 2 + dy * 0.14, y: (from.cy + to.cy) / 2 - dx * 0.14 };
}

function drawHead(context, from, to) {
  const angle = Math.atan2(to.cy - from.y, to.cx - from.x);
  context.fillStyle = "#fff";
  context.beginPath();
  context.moveTo(to.cx, to.cy);
  context.lineTo(to.cx - 10 * Math.cos(angle - 0.4), to.cy - 10 * Math.sin(angle - 0.4));
  context.lineTo(to.cx - 10 * Math.cos(angle + 0.4), to.cy - 10 * Math.sin(angle + 0.4));
  context.fill();
}

// A place for a label inside the picture and off the labels that stand already; it may move down a few lines.
function fitPill(x, y, w, h, width, height, taken) {
  const pill = { x: clamp(x, 1, width - w - 1), y: clamp(y, 1, height - h - 1), w, h };
  for (let tries = 0; tries < 6 && taken.some((other) => overlap(pill, other)); tries += 1) {
    pill.y = clamp(pill.y + h + 1, 1, height - h - 1);
  }
  taken.push(pill);
  return pill;
}

const clamp = (value, low, high) => Math.max(low, Math.min(value, high));
const overlap = (a, b) => a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;

function roundedRect(context, { x, y, w, h }, radius) {
  context.beginPath();
  context.roundRect(x, y, w, h, radius);
  context.fill();
}
