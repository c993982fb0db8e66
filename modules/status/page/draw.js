// Small builders: elements without innerHTML (what modules say is text, never markup), and sparklines in SVG.
const SVG = "http://www.w3.org/2000/svg";

export function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "data") Object.assign(element.dataset, value);
    else if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

export function spark(values, { limit = null, label = "" } = {}) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("class", "spark");
  svg.setAttribute("viewBox", "0 0 100 30");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("role", "img");
  svg.setAttribute("aria-label", label);
  if (values.length < 2) return svg;
  let low = Math.min(...values);
  let high = Math.max(...values);
  const near = limit !== null && limit <= high + 2 * (high - low || Math.abs(high) || 1);
  if (near) high = Math.max(high, limit);
  // A quiet signal stays a quiet line: its noise is not blown up to the whole height.
  const least = Math.max(Math.abs(high), Math.abs(low)) * 0.08 || 1;
  if (high - low < least) {
    const middle = (high + low) / 2;
    low = low >= 0 ? Math.max(0, middle - least / 2) : middle - least / 2;
    high = low + least;
  }
  const x = (index) => ((index / (values.length - 1)) * 100).toFixed(2);
  const y = (value) => (29 - ((value - low) / (high - low)) * 28).toFixed(2);
  const line = values.map((value, index) => `${index ? "L" : "M"}${x(index)} ${y(value)}`).join("");
  add(svg, "under", `${line}L100 30L0 30Z`);
  add(svg, "", line);
  if (near) add(svg, "limit", `M0 ${y(limit)}L100 ${y(limit)}`);
  return svg;
}

function add(svg, name, d) {
  const path = document.createElementNS(SVG, "path");
  if (name) path.setAttribute("class", name);
  path.setAttribute("d", d);
  svg.append(path);
}
