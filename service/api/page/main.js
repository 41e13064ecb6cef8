// Puts the page together: finds its elements, joins the parts, and says when the server is out of reach.

import { AlertList } from "./alerts.js";
import { ApiError, request, socketAddress } from "./api.js";
import { Question } from "./ask.js";
import { learn, serverNowS } from "./clock.js";
import { PublishDialog } from "./publish.js";
import { LiveSocket } from "./socket.js";
import { Stage } from "./stage.js";
import { StreamList } from "./streams.js";

const FRESH_S = 8;
const HEALTH_EVERY_MS = 5000;
const el = (id) => document.getElementById(id);

const stage = new Stage({
  title: el("stage-title"), sentence: el("stage-sentence"), figures: el("figures"), latency: el("fig-latency"), fps: el("fig-fps"),
  things: el("fig-things"), relationsFigure: el("fig-relations"), deleteButton: el("stage-delete"), keyButton: el("stage-key"), figure: el("picture"),
  canvas: el("picture-canvas"), note: el("picture-note"), graphCanvas: el("graph-canvas"), graphNote: el("graph-note"), fitButton: el("graph-fit"),
  relationList: el("relation-list"), relationsEmpty: el("relations-empty"), relationsCount: el("relations-count"),
});

const alerts = new AlertList({
  list: el("alert-list"), empty: el("alerts-empty"), count: el("alerts-count"), filter: el("alerts-filter"), badge: el("tab-alerts"),
  onStream: (id) => { if (streams.has(id)) { streams.select(id); show("watch"); } },
});

const question = new Question({
  dialog: el("confirm"), title: el("confirm-title"), text: el("confirm-text"), yes: el("confirm-yes"), no: el("confirm-no"),
});

const publishing = new PublishDialog({
  dialog: el("publish"), title: el("publish-title"), server: el("publish-server"), key: el("publish-key"), command: el("publish-command"),
  status: el("publish-status"), done: el("publish-done"),
});

const outages = { api: null, alerts: null };

const streams = new StreamList({
  form: el("add-form"), error: el("add-error"), row: el("add-row"), button: el("add-button"), more: el("add-more"),
  urlField: el("add-url-field"), nameField: el("add-name-field"), summary: el("add-summary"),
  list: el("stream-list"), empty: el("streams-empty"), count: el("streams-count"),
}, {
  onSelect: (stream) => { stage.select(stream); },
  onList: (all) => {
    alerts.setStreamNames(all);
    const current = all.find((stream) => stream.id === stage.stream?.id);
    if (current) stage.refresh(current);
  },
  onReach: (error) => { outages.api = error?.message ?? null; tellOutage(); },
  onPublish: (name, publish) => { publishing.show(name, publish); },
});

new LiveSocket(() => socketAddress("/v1/alerts"), {
  onMessage: (text) => {
    const alert = JSON.parse(text);
    if (alerts.take(alert) && isFresh(alert)) toast(`${alert.severity}: ${alert.summary}`);
  },
  onState: ({ state, retryInMs }) => {
    if (state === "lost") outages.alerts = `Connection lost. Trying again in ${Math.max(1, Math.round(retryInMs / 1000))} s; alerts may be missing until then.`;
    if (state === "open") outages.alerts = null;
    tellOutage();
  },
});

// What was raised before the page opened is in the list; only news is announced.
const isFresh = (alert) => alert.state === "open" && serverNowS() - alert.created_at_s < FRESH_S;

function tellOutage() {
  const text = outages.alerts ?? (outages.api && `${outages.api} What you see may be old.`);
  if (el("banner").textContent !== (text ?? "")) el("banner").textContent = text ?? "";
  el("banner").hidden = !text;
}

async function tellHealth() {
  const askedAtMs = Date.now();
  try {
    const health = await request("GET", "/healthz");
    learn(health.now_s, askedAtMs, Date.now());
    const { ready, reasons } = await request("GET", "/readyz").catch((error) => {
      if (error instanceof ApiError && error.code === "not_ready") return { ready: false, reasons: [error.message] };
      throw error;
    });
    showHealth(ready ? "ok" : "warn", ready ? "All parts work" : reasons[0]);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    showHealth("bad", error.message);
  }
  setTimeout(tellHealth, HEALTH_EVERY_MS);
}

function showHealth(level, text) {
  el("health").dataset.level = level;
  el("health-text").textContent = text;
}

let toastTimer;
function toast(text) {
  el("toast").textContent = text;
  el("toast").hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { el("toast").hidden = true; }, 5000);
}

el("stage-delete").addEventListener("click", () => confirmed((stream) => streams.remove(stream.id), ({ name }) => ({
  title: "Stop watching this stream?", text: `"${name}" is dropped with its graph. Alerts that it raised stay.`, yes: "Stop watching", no: "Keep watching",
})));

el("stage-key").addEventListener("click", () => confirmed((stream) => streams.newKey(stream.id), ({ name }) => ({
  title: "Make a new stream key?",
  text: `The key that "${name}" has now ends at once: nobody can start with it any more. Who publishes already goes on until it stops.`,
  yes: "Make a new key", no: "Keep it",
})));

// Asks about the stream that is selected now, whatever is selected by the time of the answer.
async function confirmed(act, words) {
  const { stream } = stage;
  if (!stream || !await question.ask(words(stream))) return;
  try {
    await act(stream);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    toast(error.message);
  }
}

function show(view) {
  document.body.dataset.view = view;
  for (const tab of document.querySelectorAll(".tabs button")) tab.setAttribute("aria-pressed", String(tab.dataset.view === view));
  window.scrollTo(0, 0);
}

for (const tab of document.querySelectorAll(".tabs button")) tab.addEventListener("click", () => show(tab.dataset.view));
el("stream-list").addEventListener("click", (event) => { if (event.target.closest("button")) show("watch"); });
show("streams");
tellHealth();
