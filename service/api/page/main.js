// Puts the page together: finds its elements, joins the parts, and says when the server is out of reach.

import { AlertList } from "./alerts.js";
import { ApiError, request, socketAddress } from "./api.js";
import { learn, serverNowS } from "./clock.js";
import { LiveSocket } from "./socket.js";
import { Stage } from "./stage.js";
import { StreamList } from "./streams.js";

const FRESH_S = 8;
const HEALTH_EVERY_MS = 5000;
const el = (id) => document.getElementById(id);

const stage = new Stage({
  title: el("stage-title"), sentence: el("stage-sentence"), figures: el("figures"), latency: el("fig-latency"), fps: el("fig-fps"),
  things: el("fig-things"), relationsFigure: el("fig-relations"), deleteButton: el("stage-delete"), figure: el("picture"),
  canvas: el("picture-canvas"), note: el("picture-note"), graphCanvas: el("graph-canvas"), graphNote: el("graph-note"), fitButton: el("graph-fit"),
  relationList: el("relation-list"), relationsEmpty: el("relations-empty"), relationsCount: el("relations-count"),
});

const alerts = new AlertList({
  list: el("alert-list"), empty: el("alerts-empty"), count: el("alerts-count"), filter: el("alerts-filter"), badge: el("tab-alerts"),
  onStream: (id) => { if (streams.has(id)) { streams.select(id); show("watch"); } },
});

const outages = { api: null, alerts: null };

const streams = new StreamList({
  form: el("add-form"), error: el("add-error"), button: el("add-form").querySelector("button"),
  list: el("stream-list"), empty: el("streams-empty"), count: el("streams-count"),
}, {
  onSelect: (stream) => { stage.select(stream); },
  onList: (all) => {
    alerts.setStreamNames(all);
    const current = all.find((stream) => stream.id === stage.stream?.id);
    if (current) stage.refresh(current);
  },
  onReach: (error) => { outages.api = error?.message ?? null; tellOutage(); },
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

el("stage-delete").addEventListener("click", () => {
  const { stream } = stage;
  if (!stream) return;
  el("confirm-text").textContent = `"${stream.name}" is dropped with its graph. Alerts that it raised stay.`;
  el("confirm").returnValue = "no";
  el("confirm").onclose = () => { if (el("confirm").returnValue === "yes") stopWatching(stream.id); };
  el("confirm").showModal();
});

async function stopWatching(id) {
  try {
    await streams.remove(id);
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
