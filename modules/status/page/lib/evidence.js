// The figures behind an alert, named in the page's language; what no catalogue names stands under the module's own name.
import { data } from "./draw.js";
import { number, percent, quantity } from "./format.js";
import { knows, say } from "./words.js";

const SHARES = new Set(["risk", "not_ok", "share", "reference"]);
const MEASURED = new Set(["mean", "sigma"]);
const COUNTED = new Set(["votes", "flags", "needed"]); // k of n

export function evidence(alert) {
  const figures = Object.entries(alert.evidence ?? {}).filter(([, value]) => typeof value === "number");
  const of = figures.find(([name]) => name === "of")?.[1];
  return figures.filter(([name]) => name !== "of").map(([name, value]) => [named(name), shown(name, value, of, alert.unit)]);
}

function named(name) {
  const key = [`evidence.${name}`, `label.${name}`].find(knows);
  return key ? say(key) : data(name);
}

function shown(name, value, of, unit) {
  if (COUNTED.has(name) && of !== undefined) return say("evidence.of", { k: number(value), n: number(of) });
  if (MEASURED.has(name)) return quantity(value, unit).join(" ");
  return SHARES.has(name) ? percent(value) : number(value);
}
