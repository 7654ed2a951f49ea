// API documentation, from the server's OpenAPI description.

const description = await (await fetch("/openapi.json")).json();

function made(name, text = "", ...children) {
  const element = document.createElement(name);
  element.textContent = text;
  element.append(...children);
  return element;
}

/** Format a schema, such as `{path: string, faces: [...]}`. */
function inWords(schema, depth = 0) {
  if (schema === undefined) {
    return "any";
  }
  if (schema.$ref) {
    return inWords(description.components.schemas[schema.$ref.split("/").pop()], depth);
  }
  if (schema.anyOf) {
    return schema.anyOf.map((one) => inWords(one, depth)).join(" or ");
  }
  if (schema.type === "array") {
    return `[${inWords(schema.items, depth)}, ...]`;
  }
  if (schema.properties && depth < 4) {
    return `{${Object.entries(schema.properties).map(([name, one]) => `${name}: ${inWords(one, depth + 1)}`).join(", ")}}`;
  }
  return schema.format === "binary" ? "file" : schema.type ?? "any";
}

function operation(path, method, details) {
  const section = made("section", "", made("h3", "", made("code", `${method.toUpperCase()} ${path}`)));
  section.append(made("p", (details.description ?? "").replaceAll("`", "")));
  const list = made("dl");
  for (const parameter of details.parameters ?? []) {
    list.append(made("dt", "", made("code", parameter.name)), made("dd", inWords(parameter.schema)));
  }
  for (const [kind, { schema }] of Object.entries(details.requestBody?.content ?? {})) {
    list.append(made("dt", `Body: ${kind}`), made("dd", inWords(schema)));
  }
  for (const [status, response] of Object.entries(details.responses)) {
    const kinds = Object.entries(response.content ?? {}).filter(([, { schema }]) => schema && Object.keys(schema).length > 0);
    for (const [kind, { schema }] of kinds) {
      list.append(made("dt", `${status}: ${kind}`), made("dd", "", made("code", inWords(schema))));
    }
  }
  section.append(list);
  return section;
}

document.getElementById("about").textContent = description.info.description;
const groups = new Map();
for (const [path, methods] of Object.entries(description.paths)) {
  for (const [method, details] of Object.entries(methods)) {
    const [group] = details.tags;
    if (!groups.has(group)) {
      groups.set(group, made("section", "", made("h2", group)));
    }
    groups.get(group).append(operation(path, method, details));
  }
}
document.getElementById("paths").append(...groups.values());
document.documentElement.dataset.ready = "true";
