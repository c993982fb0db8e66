// What a model said of a picture, in one line: the part, what it is, how sure.
import { percent } from "./format.js";
import { sayOr } from "./words.js";

export function verdictText(verdict) {
  return [verdict.item, `${sayOr(`label.${verdict.label}`, verdict.label)} ${percent(verdict.probability)}`].filter(Boolean).join(": ");
}
