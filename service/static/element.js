// Small makers of the reference's elements.
//
//   element("a", { href }, ...children); prose("with `code`"); copied(text) -> <pre> with a button

import { copy } from "./takeaway.js";

export function element(name, attributes = {}, ...children) {
  const { className, ...rest } = attributes;
  const node = document.createElement(name);
  if (className) node.className = className;
  for (const [key, value] of Object.entries(rest)) node.setAttribute(key, value);
  node.append(...children.filter((child) => child !== null));
  return node;
}

// Text with `code` in it.
export function prose(text) {
  return text.split("`").map((part, index) => (index % 2 ? element("code", {}, part) : part));
}

export function section(title, ...content) {
  return element("section", {}, element("h3", {}, title), ...content);
}

// A text to copy. label: what it is, for screen readers.
export function copied(text, label) {
  const pre = element("pre", { tabindex: "0", "aria-label": label }, text);
  const button = element("button", { type: "button", "aria-label": `Copy: ${label}` }, "Copy");
  button.addEventListener("click", () => copy(button, pre.textContent, pre));
  return element("div", { className: "copied" }, pre, button);
}
