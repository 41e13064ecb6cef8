// Alerts as they come: newest first, with the sentence, the relations that prove it, and what a moderator can do about it.

import { ApiError, request } from "./api.js";
import { serverNowS } from "./clock.js";
import { thing } from "./relations.js";
import { ago, h, humanPredicate } from "./words.js";

const MOST_SHOWN = 200;
const STATE_LABELS = { open: "new", acked: "acknowledged", resolved: "resolved", dismissed: "dismissed" };
const ACTIONS = [
  { action: "ack", label: "Acknowledge", from: ["open"], asks: null },
  { action: "resolve", label: "Resolve", from: ["open", "acked"], asks: "What was done?" },
  { action: "dismiss", label: "Dismiss", from: ["open", "acked"], asks: "Why is this not a violation?" },
];

export class AlertList {
  constructor(page) {
    Object.assign(this, page);
    this.alerts = new Map();
    this.rows = new Map();
    this.names = new Map();
    this.filter.addEventListener("change", () => this.#refilter());
    setInterval(() => this.#tellAges(), 1000);
  }

  setStreamNames(streams) {
    this.names = new Map(streams.map((stream) => [stream.id, stream.name]));
    for (const [id, row] of this.rows) row.stream.textContent = this.#streamName(this.alerts.get(id));
  }

  take(alert) {
    const isNew = !this.alerts.has(alert.id);
    this.alerts.set(alert.id, alert);
    this.#place(alert);
    this.#trim();
    this.#tally();
    return isNew;
  }

  #streamName(alert) {
    return this.names.get(alert.stream_id) ?? `stream ${alert.stream_id} (no longer watched)`;
  }

  #wanted(alert) {
    return this.filter.value === "all" || alert.state === "open" || alert.state === "acked";
  }

  #refilter() {
    for (const row of this.rows.values()) row.item.remove();
    this.rows.clear();
    for (const alert of [...this.alerts.values()].sort(olderFirst)) this.#place(alert);
    this.#tally();
  }

  #place(alert) {
    const old = this.rows.get(alert.id);
    if (!this.#wanted(alert)) {
      old?.item.remove();
      this.rows.delete(alert.id);
      return;
    }
    const row = this.#build(alert);
    this.rows.set(alert.id, row);
    if (old) old.item.replaceWith(row.item);
    else this.#insert(row.item, alert);
  }

  #insert(item, alert) {
    const after = [...this.list.children].find((other) => Number(other.dataset.at) <= alert.created_at_s);
    this.list.insertBefore(item, after ?? null);
  }

  #trim() {
    for (const alert of [...this.alerts.values()].sort(olderFirst).slice(0, Math.max(0, this.alerts.size - MOST_SHOWN))) {
      this.alerts.delete(alert.id);
      this.rows.get(alert.id)?.item.remove();
      this.rows.delete(alert.id);
    }
  }

  #tally() {
    const open = [...this.alerts.values()].filter((alert) => alert.state === "open").length;
    this.count.textContent = open ? `${open} new` : "";
    this.badge.textContent = String(open);
    this.badge.hidden = open === 0;
    this.empty.hidden = this.rows.size > 0;
    document.title = open ? `(${open}) Vigil` : "Vigil";
  }

  #tellAges() {
    for (const [id, row] of this.rows) row.when.textContent = ago(serverNowS() - this.alerts.get(id).created_at_s);
  }

  #build(alert) {
    const when = h("time", { datetime: new Date(alert.created_at_s * 1000).toISOString() }, ago(serverNowS() - alert.created_at_s));
    const stream = h("button", { type: "button", class: "link", onclick: () => this.onStream(alert.stream_id) }, this.#streamName(alert));
    const error = h("p", { class: "form-error", role: "alert", hidden: true });
    const item = h("li", { class: "alert", "data-id": alert.id, "data-severity": alert.severity, "data-state": alert.state, "data-at": String(alert.created_at_s) },
      h("div", { class: "alert-head" }, h("span", { class: "severity" }, alert.severity), mode(alert), state(alert), when),
      h("p", { class: "alert-sentence" }, alert.summary),
      h("p", { class: "alert-from" }, h("span", { class: "policy" }, alert.policy), " on ", stream),
      proof(alert), notes(alert), this.#actions(alert, error), error);
    return { item, when, stream };
  }

  #actions(alert, error) {
    const offered = ACTIONS.filter(({ from }) => from.includes(alert.state));
    if (!offered.length) return null;
    const bar = h("div", { class: "alert-actions" });
    const buttons = offered.map(({ action, label, asks }) => h("button", {
      type: "button", class: action === "ack" ? "soft small" : "quiet small",
      onclick: () => (asks ? this.#askReason(bar, alert, action, label, asks, error) : this.#send(alert, action, "", error)),
    }, label));
    bar.append(...buttons);
    return bar;
  }

  #askReason(bar, alert, action, label, asks, error) {
    const field = h("input", { type: "text", maxlength: "500", required: true, "aria-label": asks, placeholder: asks });
    const keep = [...bar.children];
    const cancel = () => { bar.replaceChildren(...keep); keep[0].focus(); };
    const form = h("form", {
      class: "reason",
      onsubmit: (event) => { event.preventDefault(); this.#send(alert, action, field.value.trim(), error); },
      onkeydown: (event) => { if (event.key === "Escape") { event.stopPropagation(); cancel(); } },
    }, field, h("button", { type: "submit", class: "primary small" }, label), h("button", { type: "button", class: "quiet small", onclick: cancel }, "Cancel"));
    bar.replaceChildren(form);
    field.focus();
  }

  async #send(alert, action, reason, error) {
    error.hidden = true;
    try {
      this.take(await request("POST", `/v1/alerts/${encodeURIComponent(alert.id)}/${action}`, { reason }));
    } catch (failure) {
      if (!(failure instanceof ApiError)) throw failure;
      error.textContent = failure.message;
      error.hidden = false;
    }
  }
}

const olderFirst = (a, b) => a.created_at_s - b.created_at_s;

function mode(alert) {
  return alert.mode === "enforce" ? null : h("span", { class: "chip", title: "What the policy is set to do" }, alert.mode);
}

function state(alert) {
  const over = alert.incident_state === "closed" ? ", over" : ", going on";
  return h("span", { class: "chip alert-state" }, STATE_LABELS[alert.state] + over);
}

function proof(alert) {
  const nodes = new Map(alert.nodes.map((node) => [node.id, node]));
  const rows = alert.edges.map((edge) => h("li", {}, thing(nodes, edge.subject), h("span", { class: "predicate" }, humanPredicate(edge.predicate)),
    thing(nodes, edge.object), h("span", { class: "sure" }, `${Math.round(edge.prob * 100)} %`)));
  const named = new Set(alert.edges.flatMap((edge) => [edge.subject, edge.object]));
  const alone = alert.nodes.filter((node) => !named.has(node.id)).map((node) => h("li", {}, thing(nodes, node.id),
    h("span", { class: "sure" }, `${Math.round(node.score * 100)} %`)));
  return rows.length + alone.length ? h("ul", { class: "proof", "aria-label": "Proof" }, ...rows, ...alone) : null;
}

function notes(alert) {
  const said = alert.notes.filter((note) => note.reason);
  return said.length ? h("ul", { class: "notes", "aria-label": "Notes" }, ...said.map((note) => h("li", {}, `${note.by}: ${note.reason}`))) : null;
}
