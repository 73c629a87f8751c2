// The API reference, rendered from the description that programs read.
//
//   GET openapi.json -> tags -> operations -> parameters, bodies, responses

function element(name, attributes = {}, ...children) {
  const { className, ...rest } = attributes;
  const node = document.createElement(name);
  if (className) node.className = className;
  for (const [key, value] of Object.entries(rest)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Text with `code` in it.
function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

let schemas = {};
let guarded = false;

function resolve(schema) {
  return schema.$ref ? schemas[schema.$ref.split("/").at(-1)] : schema;
}

function typeName(schema) {
  const known = resolve(schema);
  if (known.const !== undefined) return JSON.stringify(known.const);
  if (known.enum) return known.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (known.anyOf) return known.anyOf.map(typeName).join(" | ");
  if (known.contentMediaType) return `${known.contentEncoding} ${known.contentMediaType}`;
  if (known.format === "binary") return "bytes";
  return [known.type ?? "any"].flat().join(" | ");
}

// A schema as an outline that looks like the JSON it describes.
function outline(schema, indent = "") {
  const known = resolve(schema);
  if (known.allOf) return outline({ ...resolve(known.allOf[0]), properties: merged(known) }, indent);
  if (known.anyOf) return known.anyOf.map((each) => outline(each, indent)).join(`\n${indent}or `);
  if (known.type === "array" && known.items) return `[${outline(known.items, indent)}, ...]`;
  if (known.type !== "object" || !known.properties) return typeName(known);
  const inner = `${indent}  `;
  const lines = Object.entries(known.properties).map(([name, value]) => {
    const optional = known.required?.includes(name) ? "" : "?";
    const note = resolve(value).description;
    return `${inner}${name}${optional}: ${outline(value, inner)}${note ? `   // ${note}` : ""}`;
  });
  return `{\n${lines.join("\n")}\n${indent}}`;
}

function merged(schema) {
  return schema.allOf.map(resolve).reduce((all, each) => {
    for (const [name, value] of Object.entries(each.properties ?? {})) all[name] = { ...all[name], ...value };
    return all;
  }, {});
}

function showSchema(schema) {
  const code = element("pre", { className: "schema", tabindex: "0" });
  for (const line of outline(schema).split("\n")) {
    const [text, note] = line.split(/(?=\/\/ )/, 2);
    code.append(text, note ? element("span", { className: "note" }, note) : "", "\n");
  }
  return code;
}

function section(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}

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

function responses(operation) {
  const parts = Object.entries(operation.responses).map(([status, response]) => {
    const [[type, { schema }]] = Object.entries(response.content ?? { "": { schema: {} } });
    const types = schema.allOf?.flatMap((each) => each.properties?.type?.enum ?? []) ?? [];
    const detail = types.length
      ? element("div", { className: "type" }, types.join(", "))
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
  return section("With curl", element("pre", { tabindex: "0" }, command + url));
}

function show(path, method, operation) {
  return element("details", { id: operation.operationId },
    element("summary", {},
      element("span", { className: `method ${method}` }, method.toUpperCase()),
      element("span", { className: "path" }, path),
      element("span", { className: "summary" }, operation.summary)),
    element("div", { className: "body" },
      operation.description ? element("p", {}, ...prose(operation.description)) : null,
      example(method, path, operation), parameters(operation), requestBody(operation), responses(operation)));
}

async function load() {
  const description = await (await fetch("openapi.json")).json();
  schemas = description.components.schemas;
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
  const wanted = document.getElementById(location.hash.slice(1) || "predict");
  if (wanted instanceof HTMLDetailsElement) wanted.open = true;
}

load().catch(() => {
  document.getElementById("summary").textContent = "The description could not be loaded. Load this page again.";
});
