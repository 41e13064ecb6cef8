// The relations that hold now, each with how long it has held. Rows stay put while they hold; only their ages move.

import { colourOf, duration, h, humanPredicate } from "./words.js";

// A thing that is named anew gets a new row.
const rowKey = (edge, nodes) => `${nodes.get(edge.subject)?.label} ${edge.subject} ${edge.predicate} ${nodes.get(edge.object)?.label} ${edge.object}`;

export class RelationList {
  constructor(list, empty, count, onPick) {
    this.list = list;
    this.empty = empty;
    this.count = count;
    this.onPick = onPick;
    this.rows = new Map();
  }

  clear() {
    this.rows.clear();
    this.list.replaceChildren();
    this.#tally();
  }

  update(nodes, edges, mediaS) {
    const wanted = new Map([...edges].sort((a, b) => a.since_s - b.since_s).map((edge) => [rowKey(edge, nodes), edge]));
    for (const [key, row] of this.rows) if (!wanted.has(key)) this.#leave(key, row);
    for (const [key, edge] of wanted) {
      if (!this.rows.has(key)) this.#enter(key, edge, nodes);
      const row = this.rows.get(key);
      row.since.textContent = duration(mediaS - edge.since_s);
      row.prob.style.setProperty("--share", String(edge.prob));
      row.prob.title = `${Math.round(edge.prob * 100)} % sure`;
    }
    this.#tally();
  }

  #enter(key, edge, nodes) {
    const since = h("span", { class: "since" });
    const prob = h("span", { class: "sureness", "aria-hidden": "true" });
    const words = h("span", { class: "triplet" }, thing(nodes, edge.subject), h("span", { class: "predicate" }, humanPredicate(edge.predicate)),
      thing(nodes, edge.object));
    const button = h("button", { type: "button", class: "relation", onclick: () => this.onPick([edge.subject, edge.object]) },
      words, prob, h("span", { class: "held" }, "for ", since));
    const item = h("li", {}, button);
    this.rows.set(key, { item, since, prob });
    this.list.prepend(item);
  }

  #leave(key, row) {
    row.item.remove();
    this.rows.delete(key);
  }

  #tally() {
    this.count.textContent = this.rows.size ? String(this.rows.size) : "";
    this.empty.hidden = this.rows.size > 0;
  }
}

export function thing(nodes, id) {
  const label = nodes.get(id)?.label ?? "thing";
  return h("span", { class: "thing" }, h("span", { class: "swatch", style: { background: colourOf(id) }, "aria-hidden": "true" }), `${label} ${id}`);
}
