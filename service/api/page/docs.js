// Shows /openapi.json as a page: routes by tag, parameters, an example of every body. No library, nothing fetched from elsewhere.

import { h } from "./words.js";

const METHODS = ["get", "post", "put", "patch", "delete"];

const spec = await (await fetch("/openapi.json")).json();
const groups = new Map();
for (const [path, routes] of Object.entries(spec.paths)) {
  for (const method of METHODS.filter((name) => routes[name])) {
    const tag = routes[method].tags?.[0] ?? "other";
    if (!groups.has(tag)) groups.set(tag, []);
    groups.get(tag).push(route(method, path, routes[method]));
  }
}
document.getElementById("docs").replaceChildren(prose(spec.info.description, "about"),
  ...[...groups].flatMap(([tag, routes]) => [h("h2", {}, tag), ...routes]));

function route(method, path, about) {
  const parts = [prose(about.description ?? "", "prose"), parameters(about.parameters ?? []), body("Body", about.requestBody?.content)];
  for (const [status, answer] of Object.entries(about.responses)) {
    if (status.startsWith("2")) parts.push(body(`Answer ${status}`, answer.content));
  }
  return h("details", { class: "route" },
    h("summary", {}, h("span", { class: "method" }, method.toUpperCase()), h("span", { class: "path" }, path), h("span", { class: "about-route" }, about.summary ?? "")),
    h("div", { class: "route-body" }, ...parts.filter(Boolean)));
}

function parameters(all) {
  if (!all.length) return null;
  return h("section", {}, h("h3", {}, "Parameters"), h("ul", {}, ...all.map((one) => h("li", {},
    h("code", {}, one.name), ` (${one.in}${one.required ? "" : ", optional"}) `, one.description ?? ""))));
}

function body(title, content) {
  if (!content) return null;
  const [type, { schema, example, examples }] = Object.entries(content)[0];
  const resolved = schema?.$ref ? spec.components.schemas[schema.$ref.split("/").pop()] : schema;
  const shown = example !== undefined ? [example] : examples ? Object.values(examples).map((one) => one.value) : resolved?.examples ?? [];
  if (!shown.length) return null;
  return h("section", {}, h("h3", {}, `${title}, ${type}`), ...shown.map((one) => h("pre", { tabindex: "0" }, typeof one === "string" ? one : JSON.stringify(one, null, 2))));
}

// `code`, **strong** and [links](url) of the little Markdown that descriptions use.
function prose(text, className) {
  if (!text) return null;
  const pieces = text.split(/(`[^`]+`|\*\*[^*]+\*\*|\[[^\]]+\]\([^)]+\))/);
  return h("p", { class: className }, ...pieces.map((piece) => {
    if (piece.startsWith("`")) return h("code", {}, piece.slice(1, -1));
    if (piece.startsWith("**")) return h("strong", {}, piece.slice(2, -2));
    const link = piece.match(/^\[([^\]]+)\]\(([^)]+)\)$/);
    return link ? h("a", { href: link[2], rel: "noreferrer" }, link[1]) : piece;
  }));
}
