// The live graph as a drawing: things are discs in the colour of their box, relations are arrows with their words.
//
// A thing stands near its place in the picture, so that the drawing keeps the scene's left and right; it moves only when things or
// relations come or go.

import cytoscape from "./vendor/cytoscape.esm.min.js";
import { relax, worldFor } from "./layout.js";
import { hueOf, humanPredicate, thingName } from "./words.js";

const SETTLE_AFTER_MS = 250;
const LEAST_ZOOM = 0.35;
const MOST_ZOOM = 1.5;
const PADDING = 28;

const STYLE = [
  { selector: "node", style: {
    "background-color": "data(colour)", "background-opacity": 0.92, width: 26, height: 26,
    label: "data(name)", color: "#dfe6ee", "font-size": 12, "font-weight": 600, "font-family": "system-ui, sans-serif",
    "text-valign": "bottom", "text-margin-y": 5, "text-outline-color": "#10151c", "text-outline-width": 3,
    "border-width": 2, "border-color": "#10151c" } },
  { selector: "edge", style: {
    width: 1.5, "line-color": "#566477", "target-arrow-color": "#8fa1b6", "target-arrow-shape": "triangle", "arrow-scale": 0.9,
    "curve-style": "bezier", "control-point-step-size": 46, label: "data(name)", color: "#b9c6d5", "font-size": 11, "font-family": "system-ui, sans-serif",
    "text-background-color": "#10151c", "text-background-opacity": 0.94, "text-background-padding": 3, "text-background-shape": "roundrectangle",
    "edge-text-rotation": "none" } },
  { selector: ".focus", style: { "border-color": "#ffffff", "border-width": 3, "line-color": "#dfe6ee", color: "#ffffff" } },
  { selector: ".dim", style: { opacity: 0.22 } },
];

export class GraphView {
  constructor(container, onPick) {
    this.container = container;
    this.calm = window.matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.timer = null;
    this.isUnsettled = false;
    this.cy = cytoscape({
      container, style: STYLE, minZoom: LEAST_ZOOM, maxZoom: MOST_ZOOM, boxSelectionEnabled: false, autounselectify: true,
      userZoomingEnabled: false,
    });
    this.cy.on("tap", (event) => onPick(event.target === this.cy ? [] : idsOf(event.target)));
    this.watcher = new ResizeObserver(() => this.#resized());
    this.watcher.observe(container);
  }

  clear() {
    clearTimeout(this.timer);
    this.cy.elements().remove();
    this.#describe([]);
  }

  update(nodes, edges) {
    const wanted = new Set([...nodes.map((node) => `n${node.id}`), ...edges.map(edgeId)]);
    let changed = false;
    this.cy.batch(() => {
      const leaving = this.cy.elements().filter((element) => !wanted.has(element.id()));
      changed = leaving.nonempty();
      leaving.remove();
      for (const node of nodes) changed = this.#placeNode(node) || changed;
      for (const edge of edges) changed = this.#placeEdge(edge) || changed;
    });
    if (changed) this.#settleSoon();
    this.#describe(edges, nodes);
  }

  highlight(ids) {
    const focus = new Set(ids.map((id) => `n${id}`));
    this.cy.batch(() => {
      this.cy.elements().removeClass("focus dim");
      if (focus.size === 0) return;
      const inside = this.cy.elements().filter((element) => (
        element.isNode() ? focus.has(element.id()) : focus.has(element.data("source")) && focus.has(element.data("target"))));
      inside.addClass("focus");
      this.cy.elements().difference(inside).addClass("dim");
    });
  }

  fit() {
    if (this.cy.elements().empty() || this.container.clientWidth === 0) return;
    this.cy.fit(undefined, PADDING);
    this.cy.center();
  }

  // What changed while the drawing was out of sight is laid out when it comes into sight.
  #resized() {
    this.cy.resize();
    if (this.isUnsettled) this.#settleSoon();
    else this.fit();
  }

  #placeNode(node) {
    const present = this.cy.getElementById(`n${node.id}`);
    const name = thingName(node);
    if (present.nonempty()) {
      if (present.data("name") !== name) present.data("name", name);
      return false;
    }
    const [x0, y0, x1, y1] = node.box;
    const home = { x: (x0 + x1) / 2, y: (y0 + y1) / 2 };
    const world = worldFor(this.cy.nodes().length + 1, this.#aspect());
    const position = { x: home.x * world.width, y: home.y * world.height };
    this.cy.add({ group: "nodes", data: { id: `n${node.id}`, name, colour: solid(node.id), home }, position });
    return true;
  }

  #placeEdge(edge) {
    if (this.cy.getElementById(edgeId(edge)).nonempty()) return false;
    const data = { id: edgeId(edge), source: `n${edge.subject}`, target: `n${edge.object}`, name: humanPredicate(edge.predicate) };
    this.cy.add({ group: "edges", data });
    return true;
  }

  #settleSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.#settle(), SETTLE_AFTER_MS);
  }

  #settle() {
    this.isUnsettled = this.container.clientWidth === 0;
    if (this.isUnsettled || this.cy.nodes().empty()) return;
    const places = this.#places();
    this.cy.layout({
      name: "preset", positions: (node) => places.get(node.id()), animate: !this.calm, animationDuration: 350, fit: true, padding: PADDING,
    }).run();
  }

  #places() {
    const world = worldFor(this.cy.nodes().length, this.#aspect());
    const nodes = this.cy.nodes().map((node) => {
      const home = node.data("home");
      return { id: node.id(), ...node.position(), homeX: home.x * world.width, homeY: home.y * world.height };
    });
    relax(nodes, this.cy.edges().map((edge) => [edge.data("source"), edge.data("target")]), world);
    return new Map(nodes.map(({ id, x, y }) => [id, { x, y }]));
  }

  #aspect() {
    return Math.max(0.8, Math.min(2.2, this.container.clientWidth / (this.container.clientHeight || 1) || 1.4));
  }

  #describe(edges, nodes = []) {
    this.container.dataset.nodes = String(nodes.length);
    this.container.dataset.edges = String(edges.length);
    this.container.setAttribute("aria-label", `Live scene graph: ${nodes.length} things, ${edges.length} relations, listed under Relations now`);
  }
}

// cytoscape reads colours with commas and without alpha.
const solid = (id) => `hsl(${hueOf(id).toFixed(1)}, 72%, 66%)`;
const edgeId = (edge) => `e${edge.subject} ${edge.predicate} ${edge.object}`;

function idsOf(element) {
  const ids = element.isNode() ? [element.id()] : [element.data("source"), element.data("target")];
  return ids.map((id) => Number(id.slice(1)));
}
