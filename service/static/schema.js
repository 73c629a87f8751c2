// The schemas of the API description, as outlines that look like the JSON they describe.
//
//   components.schemas -> useSchemas; schema -> showSchema(schema) -> <pre>

import { element } from "./element.js";

let schemas = {};

export const useSchemas = (known) => (schemas = known);

export function resolve(schema) {
  return schema.$ref ? schemas[schema.$ref.split("/").at(-1)] : schema;
}

export function typeName(schema) {
  const known = resolve(schema);
  if (known.const !== undefined) return JSON.stringify(known.const);
  if (known.enum) return known.enum.map((each) => JSON.stringify(each)).join(" | ");
  if (known.anyOf) return known.anyOf.map(typeName).join(" | ");
  if (known.contentMediaType) return `${known.contentEncoding} ${known.contentMediaType}`;
  if (known.format === "binary") return "bytes";
  return [known.type ?? "any"].flat().join(" | ");
}

function outline(schema, indent = "") {
  const known = resolve(schema);
  if (known.allOf) return outline({ ...resolve(known.allOf[0]), properties: merged(known) }, indent);
  if (known.anyOf) return known.anyOf.map((each) => outline(each, indent)).join(`\n${indent}or `);
  if (known.type === "array" && known.items) return `[${outline(known.items, indent)}, ...]`;
  if (known.type !== "object" || !known.properties) return typeName(known);
  const inner = `${indent}  `;
  const lines = Object.entries(known.properties).map(([name, value]) => {
    const optional = known.required?.includes(name) ? "" : "?";
    const note = value.description ?? resolve(value).description;
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

export function showSchema(schema) {
  const code = element("pre", { className: "schema", tabindex: "0" });
  for (const line of outline(schema).split("\n")) {
    const [text, note] = line.split(/(?=\/\/ )/, 2);
    code.append(text, note ? element("span", { className: "note" }, note) : "", "\n");
  }
  return code;
}
