// The list of watched streams: asks the API now and then, adds an address to watch or a push to take, tells each stream's state in words.

import { ApiError, request, streamPath } from "./api.js";
import { STATE_WORDS, h, sourceOf, streamSentence } from "./words.js";

const ASK_EVERY_MS = 1500;

export class StreamList {
  constructor(page, { onSelect, onList, onReach, onPublish }) {
    Object.assign(this, page);
    this.onSelect = onSelect;
    this.onList = onList;
    this.onReach = onReach;
    this.onPublish = onPublish;
    this.streams = [];
    this.selectedId = null;
    this.rows = new Map();
    this.form.addEventListener("submit", (event) => { event.preventDefault(); this.#add(); });
    this.form.addEventListener("input", () => this.#showError(null));
    for (const choice of this.form.elements.source) choice.addEventListener("change", () => this.#choose());
    this.#choose();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.refresh(); });
    this.#keepAsking();
  }

  async refresh() {
    try {
      const { streams } = await request("GET", "/v1/streams");
      this.onReach(null);
      this.#show(streams);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      this.onReach(error);
    }
  }

  has(id) {
    return this.rows.has(id);
  }

  select(id) {
    this.selectedId = id;
    for (const [key, row] of this.rows) row.button.setAttribute("aria-current", String(key === id));
    this.onSelect(this.streams.find((stream) => stream.id === id) ?? null);
  }

  async remove(id) {
    await request("DELETE", streamPath(id));
    if (this.selectedId === id) this.selectedId = null;
    await this.refresh();
  }

  async newKey(id) {
    const { name, publish } = await request("POST", streamPath(id, "/key"));
    this.onPublish(name, publish);
  }

  async #keepAsking() {
    if (!document.hidden) await this.refresh();
    setTimeout(() => this.#keepAsking(), ASK_EVERY_MS);
  }

  get #isPush() {
    return this.form.elements.source.value === "push";
  }

  // The one field that matters stands beside the button: an address that is watched, a name for what will be pushed.
  #choose() {
    this.urlField.hidden = this.#isPush;
    (this.#isPush ? this.row : this.more).prepend(this.nameField);
    this.summary.textContent = this.#isPush ? "Rate" : "Name and rate";
    this.button.textContent = this.#isPush ? "Get key" : "Watch";
  }

  async #add() {
    const { url, name } = this.form.elements;
    if (!this.#isPush && !url.value.trim()) {
      this.#showError("Type the address of a stream first, such as rtmp://host/live/name.");
      url.focus();
      return;
    }
    this.button.disabled = true;
    this.#showError(null);
    try {
      const made = await request("POST", "/v1/streams", this.#wish(), { "idempotency-key": idempotencyKey() });
      this.#clearForm();
      await this.refresh();
      this.select(made.id);
      if (made.publish) this.#handOver(made);
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const wait = error.retryAfterS ? ` Try again in ${error.retryAfterS} s, or stop watching another stream.` : "";
      this.#showError(error.message + wait);
      (this.#isPush ? name : url).focus();
    } finally {
      this.button.disabled = false;
    }
  }

  #wish() {
    const { source, url, name, fps } = this.form.elements;
    const wish = this.#isPush ? { source: source.value } : { url: url.value.trim() };
    if (name.value.trim()) wish.name = name.value.trim();
    if (fps.value) wish.fps = Number(fps.value);
    return wish;
  }

  // Who adds one push often adds another: the choice stays.
  #clearForm() {
    const { source } = this.form.elements;
    const chosen = source.value;
    this.form.reset();
    source.value = chosen;
  }

  // The dialog gives the focus back to where it was: to the new stream's row.
  #handOver({ id, name, publish }) {
    this.rows.get(id)?.button.focus();
    this.onPublish(name, publish);
  }

  #showError(message) {
    this.error.hidden = message === null;
    this.error.textContent = message ?? "";
    this.form.elements.url.setAttribute("aria-invalid", String(message !== null));
  }

  #show(streams) {
    this.streams = streams;
    this.count.textContent = streams.length ? String(streams.length) : "";
    this.empty.hidden = streams.length > 0;
    const present = new Set(streams.map((stream) => stream.id));
    for (const [id, row] of this.rows) if (!present.has(id)) { row.item.remove(); this.rows.delete(id); }
    for (const stream of streams) this.#row(stream);
    this.onList(streams);
    if (!present.has(this.selectedId)) this.select(streams[0]?.id ?? null);
  }

  #row(stream) {
    if (!this.rows.has(stream.id)) this.rows.set(stream.id, this.#newRow(stream.id));
    const row = this.rows.get(stream.id);
    row.name.textContent = stream.name;
    row.state.textContent = STATE_WORDS[stream.state];
    row.state.dataset.state = stream.state;
    row.fps.textContent = stream.state === "live" ? `${stream.measured_fps.toFixed(1)} FPS` : "";
    row.sentence.dataset.short = String(stream.state === "live");
    row.sentence.textContent = stream.state === "live" ? sourceOf(stream) : streamSentence(stream);
    row.button.title = sourceOf(stream);
  }

  #newRow(id) {
    const row = { name: h("span", { class: "name" }), state: h("span", { class: "state" }), fps: h("span", { class: "fps" }), sentence: h("span", { class: "sentence" }) };
    row.button = h("button", { type: "button", class: "stream", "aria-current": String(id === this.selectedId), onclick: () => this.select(id) },
      row.name, row.state, row.sentence, row.fps);
    row.item = h("li", {}, row.button);
    this.list.append(row.item);
    return row;
  }
}

// crypto.randomUUID exists on secure origins only; a plain-http address in a private network is not one.
function idempotencyKey() {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}
