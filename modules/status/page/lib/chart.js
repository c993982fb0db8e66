// Curves in SVG: a sparkline for a glance, and a chart with axes, units and marked places.
import { number } from "./format.js";

const SVG = "http://www.w3.org/2000/svg";

export function shape(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

const line = (points) => points.map(([x, y], place) => `${place ? "L" : "M"}${x.toFixed(2)} ${y.toFixed(2)}`).join("");

export function spark(values, { limit = null, label = "" } = {}) {
  const svg = shape("svg", { class: "spark", viewBox: "0 0 100 30", preserveAspectRatio: "none", role: "img", "aria-label": label });
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
  const y = (value) => 29 - ((value - low) / (high - low)) * 28;
  const points = values.map((value, place) => [(place / (values.length - 1)) * 100, y(value)]);
  svg.append(shape("path", { class: "under", d: `${line(points)}L100 30L0 30Z` }), shape("path", { class: "curve", d: line(points) }));
  if (near) svg.append(shape("path", { class: "limit", d: `M0 ${y(limit)}L100 ${y(limit)}` }));
  return svg;
}

// Round steps: 1, 2 or 5 of a power of ten, at most `most` of them.
function ticks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((each) => each * power).find((each) => each >= rough);
  const found = [];
  for (let at = Math.ceil(low / step); at * step <= high * (1 + 1e-9); at += 1) found.push(at * step);
  return found;
}

const EDGE = { left: 58, right: 12, top: 34, bottom: 40 };
const HALF_LETTER = 3.8; // of a mark's label, px: wide fonts too

// `points`: [[x, y], ...]; `marks`: [{x, label, kind}] vertical, `limits`: [{y, label}] horizontal.
// `x` and `y`: {label, low, high}, the label with its unit. `y.powers`: its values are powers of ten.
export function chart({ points, x, y, marks = [], limits = [], label, width, height = 260, steps = false }) {
  const right = width - EDGE.right;
  const bottom = height - EDGE.bottom;
  const spanX = x.high - x.low || 1;
  const spanY = y.high - y.low || 1;
  const px = (value) => EDGE.left + ((value - x.low) / spanX) * (right - EDGE.left);
  const py = (value) => bottom - ((Math.min(Math.max(value, y.low), y.high) - y.low) / spanY) * (bottom - EDGE.top);
  const svg = shape("svg", { class: "chart", viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label });
  for (const value of ticks(y.low, y.high, 4)) {
    svg.append(shape("path", { class: "grid", d: `M${EDGE.left} ${py(value)}H${right}` }),
      shape("text", { class: "tick", x: EDGE.left - 7, y: py(value) + 4, "text-anchor": "end" }, y.powers ? number(10 ** value) : short(value)));
  }
  for (const value of ticks(x.low, x.high, Math.max(3, Math.floor(width / 110)))) {
    svg.append(shape("text", { class: "tick", x: px(value), y: bottom + 17, "text-anchor": "middle" }, short(value)));
  }
  svg.append(shape("path", { class: "axis", d: `M${EDGE.left} ${EDGE.top}V${bottom}H${right}` }),
    shape("text", { class: "name", x: right, y: height - 5, "text-anchor": "end" }, x.label),
    shape("text", { class: "name", x: 4, y: 13 }, y.label));
  const shown = points.filter(([at]) => at >= x.low && at <= x.high).map(([at, value]) => [px(at), py(value)]);
  if (shown.length) svg.append(shape("path", { class: `curve${steps ? " steps" : ""}`, d: line(shown) }));
  for (const limit of limits) {
    svg.append(shape("path", { class: "limit", d: `M${EDGE.left} ${py(limit.y)}H${right}` }),
      shape("text", { class: "mark", x: right, y: py(limit.y) - 4, "text-anchor": "end" }, limit.label));
  }
  let free = -Infinity; // a label that would lie on the one before is left out; its line stays
  for (const mark of [...marks].sort((a, b) => a.x - b.x).filter((each) => each.x >= x.low && each.x <= x.high)) {
    svg.append(shape("path", { class: `fault ${mark.kind ?? ""}`, d: `M${px(mark.x)} ${EDGE.top - 2}V${bottom}` }));
    if (!mark.label || px(mark.x) - mark.label.length * HALF_LETTER < free) continue;
    svg.append(shape("text", { class: "mark", x: px(mark.x), y: EDGE.top - 6, "text-anchor": "middle" }, mark.label));
    free = px(mark.x) + mark.label.length * HALF_LETTER + 3;
  }
  return svg;
}

function short(value) {
  return Math.abs(value) >= 1 || value === 0 ? number(Number(value.toPrecision(6))) : number(value, Math.min(6, 1 - Math.floor(Math.log10(Math.abs(value)))));
}
