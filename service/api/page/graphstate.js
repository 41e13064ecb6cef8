// The graph a subscriber holds: a snapshot, then deltas in order. Says when it lost its place.

const edgeKey = (edge) => `${edge.subject} ${edge.predicate} ${edge.object}`;

export class GraphState {
  constructor() {
    this.clear();
  }

  clear() {
    this.seq = null;
    this.mediaS = 0;
    this.capturedAtS = 0;
    this.nodes = new Map();
    this.edges = new Map();
  }

  // Returns true when things or relations came, went or changed their words, false when only boxes and numbers moved.
  apply(message) {
    const shapeChanged = message.type === "snapshot" ? this.#reset(message) : this.#replay(message.events);
    this.seq = message.seq;
    this.mediaS = message.media_s;
    this.capturedAtS = message.captured_at_s;
    return shapeChanged;
  }

  #reset(snapshot) {
    this.nodes = new Map(snapshot.nodes.map((node) => [node.id, node]));
    this.edges = new Map(snapshot.edges.map((edge) => [edgeKey(edge), edge]));
    return true;
  }

  #replay(events) {
    let shapeChanged = false;
    for (const event of events) shapeChanged = this.#step(event) || shapeChanged;
    return shapeChanged;
  }

  #step(event) {
    switch (event.type) {
      case "node_add": this.nodes.set(event.node.id, event.node); return true;
      case "node_update": return this.#updateNode(event);
      case "node_merge": this.#drop(event.merged, event.kept); return true;
      case "node_lost":
      case "node_remove": this.#drop(event.id, null); return true;
      case "edge_add": this.edges.set(edgeKey(event.edge), event.edge); return true;
      case "edge_update": this.#updateEdge(event); return false;
      case "edge_remove": return this.edges.delete(edgeKey(event));
      default: return false;
    }
  }

  #updateNode({ id, label, score, box }) {
    const node = this.nodes.get(id);
    if (!node) return false;
    this.nodes.set(id, { ...node, label, score, box });
    return node.label !== label;
  }

  #updateEdge(event) {
    const edge = this.edges.get(edgeKey(event));
    if (edge) this.edges.set(edgeKey(event), { ...edge, prob: event.prob });
  }

  #drop(id, kept) {
    this.nodes.delete(id);
    for (const [key, edge] of this.edges) {
      if (edge.subject !== id && edge.object !== id) continue;
      this.edges.delete(key);
      if (kept !== null) this.#rename(edge, id, kept);
    }
  }

  #rename(edge, from, to) {
    const renamed = { ...edge, subject: edge.subject === from ? to : edge.subject, object: edge.object === from ? to : edge.object };
    if (renamed.subject !== renamed.object && !this.edges.has(edgeKey(renamed))) this.edges.set(edgeKey(renamed), renamed);
  }
}
