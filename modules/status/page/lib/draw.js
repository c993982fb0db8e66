// Small builders: elements without innerHTML (what modules say is text, never markup), and lists that keep their nodes.
import { timeText, utcText } from "./format.js";

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === null || value === undefined) continue;
    if (name === "data") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// A name or a value that comes from the line: no translation may touch it.
export function data(text, properties = {}) {
  return make("data", { translate: false, textContent: text, ...properties });
}

// A sentence that a module wrote, in English.
export function said(text, tag = "span") {
  return make(tag, { lang: "en", textContent: text });
}

export function when(text, properties = {}) {
  const time = new Date(text);
  return make("time", { dateTime: time.toISOString(), textContent: timeText(time), title: utcText(time), ...properties });
}

// A picture in whose place another comes again and again. Decoded beside the page, as browsers do on demand, it leaves a
// blank between two of them for a moment: this one is decoded with the page.
export function screen(properties = {}) {
  return make("img", { decoding: "sync", ...properties });
}

export function button(text, act, properties = {}) {
  return make("button", { type: "button", textContent: text, onclick: act, ...properties });
}

export function pill(state, text) {
  return make("span", { className: "pill", data: { state }, textContent: text });
}

// Children of `list` become one for each of `items`: the node of a key stays, so that focus and screen readers stay too.
export function keyed(list, items, keyOf, draw) {
  const before = new Map([...list.children].map((child) => [child.dataset.key, child]));
  const focused = list.contains(document.activeElement) ? document.activeElement : null;
  const nodes = items.map((item) => {
    const key = String(keyOf(item));
    const node = draw(item, before.get(key) ?? null);
    node.dataset.key = key;
    return node;
  });
  const staying = new Set(nodes);
  for (const child of [...list.children]) if (!staying.has(child)) child.remove();
  nodes.forEach((node, place) => {
    if (list.children[place] !== node) list.insertBefore(node, list.children[place] ?? null);
  });
  if (focused?.isConnected && document.activeElement !== focused) focused.focus({ preventScroll: true });
}

// Set only what changed: an unchanged live region is not read out again.
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function empty(text) {
  return make("p", { className: "empty", textContent: text });
}

export function pairs(rows) {
  return rows.map(([name, value, title]) =>
    make("div", { title: title ?? null }, make("dt", { textContent: name }),
      make("dd", {}, typeof value === "string" ? data(value) : value)));
}
