// How things are said on the page: predicates, states, times, colours. Pure functions.

const GOLDEN_ANGLE = 137.508;

const STATES = {
  pending: "Waiting for a worker to take it",
  connecting: "Connecting to the source",
  live: "Live",
  stalled: "No new picture is coming; the source will be opened again",
  reconnecting: "The source is gone; trying again",
  ended: "The source said that the stream is over",
  failed: "Given up",
};

// Of a stream that is pushed. Where there is no sentence here, nobody publishes or no worker has it yet: the server's own says which.
const PUSH_STATES = {
  connecting: "Its publisher is there; opening what it sends",
  stalled: "Its publisher sends no new picture; it will be opened again",
  reconnecting: "What its publisher sends broke off; trying again",
};

const CODES = {
  auth_failed: "the source asks for a user name and password",
  not_found: "there is no stream at this address",
  timeout: "the source does not answer in time",
  tls: "the source's certificate cannot be trusted",
  codec_unsupported: "this kind of video cannot be decoded",
  too_large: "the picture is larger than the limit",
  forbidden_address: "the address lies in a network that is not allowed",
  connection_failed: "the connection breaks",
};

export const STATE_WORDS = {
  pending: "pending", connecting: "connecting", live: "live", stalled: "stalled",
  reconnecting: "reconnecting", ended: "ended", failed: "failed",
};

const WAITING = ["pending", "ended"];

const capital = (text) => text.charAt(0).toUpperCase() + text.slice(1);

export const isPush = (stream) => stream?.source === "push";

// Where its pictures come from. The address at which Vigil plays a push says nothing to who watches.
export const sourceOf = (stream) => (isPush(stream) ? "pushed to Vigil" : stream.url);

export function streamSentence(stream) {
  if (stream.state === "live") return `Live, ${stream.width}×${stream.height}`;
  const why = stream.message || CODES[stream.code] || "";
  if (isPush(stream) && WAITING.includes(stream.state) && why) return capital(why);
  const what = (isPush(stream) && PUSH_STATES[stream.state]) || STATES[stream.state];
  return why ? `${what}: ${why}` : what;
}

// The short form, for where the whole sentence stands beside it.
export function streamHeadline(stream) {
  if (stream.state === "live") return streamSentence(stream);
  return capital(STATE_WORDS[stream.state]) + (stream.code ? `: ${CODES[stream.code] ?? stream.code}` : "");
}

export const humanPredicate = (predicate) => predicate.replaceAll("_", " ");

export const thingName = (node) => `${node.label} ${node.id}`;

export const hueOf = (id) => (id * GOLDEN_ANGLE) % 360;

export const colourOf = (id, alpha = 1) => `hsla(${hueOf(id).toFixed(1)}, 72%, 66%, ${alpha})`;

export function duration(seconds) {
  if (!Number.isFinite(seconds) || seconds < 0.05) return "now";
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
}

export function ago(seconds) {
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${Math.round(seconds)} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return new Date(Date.now() - seconds * 1000).toLocaleDateString();
}

export function latency(seconds) {
  if (seconds < 0) return "0 ms";
  return seconds < 1 ? `${Math.round(seconds * 1000)} ms` : `${seconds.toFixed(1)} s`;
}

// Builds an element: h("li", {class: "x", onclick}, child, "text").
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, part] of Object.entries(value)) element.style.setProperty(key, part);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}
