// The selected stream: its picture, its live graph, its relations, and the figures above them.

import { socketAddress, streamPath } from "./api.js";
import { serverNowS } from "./clock.js";
import { GraphState } from "./graphstate.js";
import { GraphView } from "./graphview.js";
import { Picture } from "./picture.js";
import { RelationList } from "./relations.js";
import { LiveSocket } from "./socket.js";
import { isPush, latency, streamHeadline, streamSentence } from "./words.js";

const SMOOTHING = 0.2;

export class Stage {
  constructor(page) {
    Object.assign(this, page);
    this.stream = null;
    this.sockets = [];
    this.state = new GraphState();
    this.focus = [];
    const pick = (ids) => this.#pick(ids);
    this.picture = new Picture(this.canvas);
    this.graph = new GraphView(this.graphCanvas, pick);
    this.relations = new RelationList(this.relationList, this.relationsEmpty, this.relationsCount, pick);
    this.fitButton.addEventListener("click", () => this.graph.fit());
    document.addEventListener("keydown", (event) => { if (event.key === "Escape") this.#pick([]); });
    document.addEventListener("visibilitychange", () => this.#watchPicture());
  }

  select(stream) {
    if (stream?.id === this.stream?.id) {
      this.refresh(stream);
      return;
    }
    this.#leave();
    this.refresh(stream);
    if (!stream) return;
    this.graphSocket = new LiveSocket(() => socketAddress(streamPath(stream.id, this.#resumePoint())), {
      onMessage: (text) => this.#onGraph(JSON.parse(text)),
      onState: (state) => this.#onGraphState(state),
    });
    this.#watchPicture();
  }

  refresh(stream) {
    this.stream = stream;
    this.title.textContent = stream?.name ?? "No stream selected";
    this.sentence.textContent = stream ? streamHeadline(stream) : "Add a stream, or choose one from the list.";
    this.sentence.dataset.state = stream?.state ?? "";
    this.deleteButton.hidden = this.figures.hidden = !stream;
    this.keyButton.hidden = !isPush(stream);
    this.fps.textContent = stream?.state === "live" ? `${stream.measured_fps.toFixed(1)} FPS` : "–";
    if (stream?.state !== "live") this.latency.textContent = "–";
    this.#notePicture();
  }

  #resumePoint() {
    return this.state.seq === null ? "/graph" : `/graph?since=${this.state.seq}`;
  }

  #leave() {
    this.graphSocket?.close();
    this.previewSocket?.close();
    this.graphSocket = this.previewSocket = null;
    this.previewState = this.smoothLatencyS = null;
    this.state.clear();
    this.picture.clear();
    this.graph.clear();
    this.relations.clear();
    this.#pick([]);
    this.graphNote.textContent = "";
    this.things.textContent = this.relationsFigure.textContent = "–";
    this.canvas.dataset.frames = "0";
  }

  // A picture costs the worker an encoding; a hidden tab asks for none.
  #watchPicture() {
    if (!this.stream || document.hidden) {
      this.previewSocket?.close();
      this.previewSocket = null;
      return;
    }
    if (this.previewSocket) return;
    const { id } = this.stream;
    this.previewSocket = new LiveSocket(() => socketAddress(streamPath(id, "/preview")), {
      onMessage: (buffer) => this.picture.show(buffer, (graph) => { if (this.stream?.id === id) this.#onShown(graph); }),
      onState: (state) => { this.previewState = state.state; this.#notePicture(); },
    });
  }

  #onShown(graph) {
    const age = serverNowS() - graph.captured_at_s;
    this.smoothLatencyS = this.smoothLatencyS === null ? age : this.smoothLatencyS + SMOOTHING * (age - this.smoothLatencyS);
    if (this.stream.state === "live") this.latency.textContent = latency(this.smoothLatencyS);
    this.canvas.dataset.frames = String(Number(this.canvas.dataset.frames || 0) + 1);
    this.canvas.setAttribute("aria-label", `Analysed picture: ${graph.nodes.length} things, ${graph.edges.length} relations`);
    this.#notePicture();
  }

  #onGraph(message) {
    const shapeChanged = this.state.apply(message);
    const edges = [...this.state.edges.values()];
    if (shapeChanged) this.graph.update([...this.state.nodes.values()], edges);
    if (shapeChanged && this.focus.length) this.#pick(this.focus.filter((id) => this.state.nodes.has(id)));
    this.relations.update(this.state.nodes, edges, this.state.mediaS);
    this.things.textContent = String(this.state.nodes.size);
    this.relationsFigure.textContent = String(edges.length);
    this.graphNote.textContent = this.state.nodes.size ? "" : "Nothing in view right now.";
  }

  #onGraphState({ state }) {
    if (state === "lost") this.graphNote.textContent = "Connection lost. Trying again.";
    else if (state === "open" && this.state.seq === null) this.graphNote.textContent = "The graph appears with the first analysed frame.";
    else if (state === "open" && this.state.nodes.size) this.graphNote.textContent = "";
  }

  #notePicture() {
    const shown = this.picture.image !== null;
    let note = "";
    if (!this.stream) note = "Choose a stream to see what is going on in it.";
    else if (this.previewState === "lost") note = "Connection lost. Trying again.";
    else if (this.stream.state !== "live") note = streamSentence(this.stream);
    else if (!shown) note = "Waiting for the first analysed frame.";
    this.note.textContent = note;
    this.note.hidden = !note;
    this.figure.dataset.stale = String(shown && note !== "");
  }

  #pick(ids) {
    const same = ids.length === this.focus.length && ids.every((id) => this.focus.includes(id));
    this.focus = same && ids.length ? [] : ids;
    this.picture.highlight(this.focus);
    this.graph.highlight(this.focus);
  }
}
