// An alert in one sentence of the page's language, from its rule and figures; the module's own words where that cannot be.
import { make } from "./draw.js";
import { number, percent, quantity } from "./format.js";
import { knows, say, sayOr } from "./words.js";

const given = (value) => typeof value === "number";
const shown = (value, unit) => quantity(value, unit).join(" ").trim();

const RULES = {
  level: (alert) => given(alert.value) && alert.limit && { share: percent(alert.value / alert.limit), value: shown(alert.value, alert.unit) },
  velocity: (alert) => given(alert.value) && { value: shown(alert.value, alert.unit) },
  impacts: (alert) => given(alert.value) && { value: number(alert.value, 1) },
  bearing: (alert) => given(alert.value) && alert.label && { part: sayOr(`label.${alert.label}`, alert.label), value: number(alert.value, 0) },
  deviation: (alert) => given(alert.value) && given(alert.evidence?.mean) && {
    value: shown(alert.value, alert.unit), mean: shown(alert.evidence.mean, alert.unit) },
  range: (alert) => given(alert.value) && { value: shown(alert.value, alert.unit) },
  rate: (alert) => given(alert.value) && { value: shown(alert.value, alert.unit) },
  missing: () => ({}),
};

function own(alert) {
  if (alert.state === "cleared") {
    const rule = `rule.${alert.rule}`;
    return knows(rule) ? say("said.ended", { what: say(rule) }) : say("said.cleared");
  }
  if (given(alert.probability) && alert.label) {
    const label = sayOr(`label.${alert.label}`, alert.label);
    const key = alert.item ? "said.model_item" : "said.model";
    return say(key, { label, sure: percent(alert.probability), item: alert.item });
  }
  const values = knows(`said.${alert.rule}`) && RULES[alert.rule]?.(alert);
  return values ? say(`said.${alert.rule}`, values) : null;
}

// What the module wrote, without the source: it stands above already.
function theirs(alert) {
  const text = alert.text ?? "";
  return text.startsWith(alert.source) ? text.slice(alert.source.length).replace(/^:?\s*/, "") : text;
}

// Text and whether it is in the page's language.
export function sentence(alert) {
  const text = own(alert);
  return text === null ? [theirs(alert), false] : [text, true];
}

export function sentenceNode(alert, tag = "span") {
  const [text, ours] = sentence(alert);
  const node = make(tag, { className: "sentence" }, ours ? text : make("span", { lang: "en", textContent: text }));
  if (alert.advice && alert.state !== "cleared") node.append(" — ", adviceNode(alert.advice));
  return node;
}

function adviceNode(advice) {
  const key = `advice.${advice}`;
  return make("span", knows(key) ? { textContent: say(key) } : { textContent: advice, lang: "en" });
}
