// The API reference, rendered from the description that programs read.
//
//   GET openapi.json -> tags -> operations -> try it, parameters, bodies, responses
//   #predictBatch -> that operation, open and in sight

import { copied, element, prose, section } from "./element.js";
import { resolve, showSchema, typeName, useSchemas } from "./schema.js";
import { clientsSection, trySection } from "./trying.js";

let guarded = false;

function rows(entries) {
  return element("table", {}, element("tbody", {}, ...entries.map(([name, ...rest]) =>
    element("tr", {}, element("td", {}, name), element("td", {}, ...rest)))));
}

function parameters(operation) {
  if (!operation.parameters?.length) return null;
  return section("Parameters", rows(operation.parameters.map((each) => [
    each.name,
    element("span", { className: "type" }, `${each.in}, ${typeName(each.schema)}${each.required ? "" : ", optional"}`),
    ...(each.description ? [" ", ...prose(each.description)] : []),
  ])));
}

function requestBody(operation) {
  const content = Object.entries(operation.requestBody?.content ?? {});
  if (!content.length) return null;
  return section("Body", rows(content.map(([type, { schema }]) =>
    [type, resolve(schema).type === "object" ? showSchema(schema) : typeName(schema)])));
}

// A type of problem has a page of its own.
function problemType(type) {
  return type.startsWith("/problems/") ? element("a", { href: type.slice(1) }, type) : type;
}

function responses(operation) {
  const parts = Object.entries(operation.responses).map(([status, response]) => {
    const [[type, { schema }]] = Object.entries(response.content ?? { "": { schema: {} } });
    const types = schema.allOf?.flatMap((each) => each.properties?.type?.enum ?? []) ?? [];
    const listed = types.flatMap((each, index) => [index ? ", " : "", problemType(each)]);
    const detail = types.length
      ? element("div", { className: "type" }, ...listed)
      : status === "200" && resolve(schema).type && (resolve(schema).properties || resolve(schema).items) ? showSchema(schema)
      : element("div", { className: "type" }, type);
    return [status, ...prose(response.description), detail];
  });
  return section("Answers", rows(parts));
}

function example(method, path, operation) {
  const base = new URL(".", location).href.slice(0, -1); // what the service answers below
  const url = `${base}${path.replace(/\{(\w+)\}/g, (all, name) => operation.parameters?.find((each) => each.name === name)?.example ?? name.toUpperCase())}`;
  const body = operation.requestBody?.content ?? {};
  const json = body["application/json"]?.example;
  let command = `curl ${method === "post" && !operation.requestBody ? "-X POST " : ""}`;
  if (guarded && operation.security?.length !== 0) command += "-H 'Authorization: Bearer YOUR-KEY' ";
  if (body["multipart/form-data"]) command += path.endsWith("batch") ? "-F file=@one.png -F file=@two.png " : "-F file=@digit.png ";
  if (json) command += "-d @request.json ";
  const part = section("With curl", copied(command + url, `curl command for ${path}`));
  part.className = "curl";
  return part;
}

function show(path, method, operation) {
  const link = element("a", { href: `#${operation.operationId}`, className: "anchor", "aria-label": `Link to ${path}` }, "#");
  return element("details", { id: operation.operationId },
    element("summary", {},
      element("span", { className: `method ${method}` }, method.toUpperCase()),
      element("span", { className: "path" }, ...path.split(/(?=\/)/).flatMap((part) => [part, element("wbr")])),
      element("span", { className: "summary" }, operation.summary)),
    element("div", { className: "body" },
      element("p", {}, ...prose(operation.description ?? operation.summary), " ", link),
      example(method, path, operation), parameters(operation), requestBody(operation), responses(operation)));
}

// What the address names is opened and scrolled to; without a name, the first thing one does.
function reveal() {
  const name = location.hash.slice(1);
  const wanted = document.getElementById(name);
  if (wanted instanceof HTMLDetailsElement) {
    wanted.open = true;
    wanted.scrollIntoView();
  } else {
    document.getElementById("predict").open = true;
    if (name) document.getElementById("predict").scrollIntoView();
  }
}

async function load() {
  const description = await (await fetch("openapi.json")).json();
  useSchemas(description.components.schemas);
  guarded = Boolean(description.security);
  document.getElementById("summary").textContent = description.info.summary;
  document.getElementById("description").append(...prose(description.info.description));
  const operations = Object.entries(description.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })));
  for (const tag of description.tags) {
    const own = operations.filter(({ operation }) => operation.tags.includes(tag.name));
    document.getElementById("operations").append(element("h2", {}, tag.name), element("p", { className: "tag-text" }, tag.description),
      ...own.map(({ path, method, operation }) => show(path, method, operation)));
  }
  const [trial, clients] = await Promise.all([trySection(), clientsSection()]);
  document.querySelector("#predict .body > p").after(trial);
  document.querySelector("#predict .curl").after(clients);
  reveal();
  addEventListener("hashchange", reveal);
}

load().catch(() => {
  document.getElementById("summary").textContent = "The description could not be loaded. Load this page again.";
});
