// One alert in full, and what a person does about it: take care, resolve, say whether it was right.
import { button, data, make, pairs, when } from "../lib/draw.js";
import { evidence } from "../lib/evidence.js";
import { milliseconds, percent, quantity } from "../lib/format.js";
import { get, part, tell } from "../lib/gateway.js";
import { sentenceNode } from "../lib/sentence.js";
import { say } from "../lib/words.js";
import { field, openDialog } from "./dialog.js";
import { act, iAm, inWords, me } from "./token.js";

const VERDICTS = ["true", "false", "unsure"];

export async function openAlert(alert) {
  const facts = make("div");
  const result = make("p", { className: "result", role: "status" });
  const wrong = make("p", { className: "wrong", role: "alert" });
  const form = actions(alert, result, wrong, (changed) => show(facts, changed));
  show(facts, alert);
  openDialog(data(alert.source), [facts, form, result, wrong]);
  try {
    const whole = await get(`alerts/${part(alert.id)}`);
    show(facts, whole);
    tell("alert", whole);
  } catch (error) {
    wrong.textContent = inWords(error);
  }
}

function show(facts, alert) {
  const value = typeof alert.value === "number" ? quantity(alert.value, alert.unit).join(" ") : null;
  const limit = typeof alert.limit === "number" ? quantity(alert.limit, alert.unit).join(" ") : null;
  const rows = [
    [say("alert.severity"), make("span", { textContent: say(`severity.${alert.severity}`) })],
    [say("alert.state"), make("span", { textContent: say(`state.${alert.state}`) })],
    [say("alert.value"), value],
    [say("alert.limit"), limit],
    [say("alert.sure"), typeof alert.probability === "number" ? percent(alert.probability, 1) : null],
    [say("alert.item"), alert.item],
    [say("alert.sampled"), alert.sampled ? when(alert.sampled) : null],
    [say("alert.latency"), typeof alert.latency_ms === "number" ? milliseconds(alert.latency_ms) : null],
    [say("alert.module"), alert.module],
    [say("alert.model"), alert.model],
    [say("alert.rule"), alert.rule],
    ...evidence(alert),
  ];
  facts.replaceChildren(
    make("p", { className: "lead" }, sentenceNode(alert)),
    ...["acknowledged", "resolved"].filter((each) => alert[each]?.who).map((each) => note(say(`alert.${each}_by`), alert[each])),
    ...(alert.verdict ? [note(say(`judged.${alert.verdict.verdict}`), alert.verdict)] : []),
    make("dl", { className: "facts" }, ...rows.filter(([, shown]) => shown).map(([name, shown]) =>
      make("div", {}, make("dt", {}, name), make("dd", {}, typeof shown === "string" ? data(shown) : shown)))));
}

function note(lead, { who, why, at }) {
  return make("p", { className: "note" }, lead, " ", data(who), why ? ": " : "", why ? data(why) : "", " (", when(at), ")");
}

function actions(alert, result, wrong, changed) {
  const who = make("input", { required: true, maxLength: 80, autocomplete: "name", value: me(), name: "who" });
  const why = make("input", { maxLength: 400, name: "why" });
  const form = make("form", { className: "form" }, field(say("act.who"), who), field(say("act.why"), why));
  const doing = async (verb, body, done) => {
    if (!form.reportValidity()) return;
    wrong.textContent = "";
    iAm(who.value);
    try {
      const after = await act(`alerts/${part(alert.id)}/${verb}`, { who: who.value, why: why.value, ...body });
      changed(after);
      tell("alert", after);
      result.textContent = done;
    } catch (error) {
      wrong.textContent = inWords(error);
    }
  };
  const acknowledge = () => doing("acknowledge", {}, say("act.acknowledged"));
  form.addEventListener("submit", (event) => { event.preventDefault(); acknowledge(); });
  form.append(
    make("div", { className: "buttons" },
      make("button", { type: "submit", className: "primary", textContent: say("act.acknowledge") }),
      button(say("act.resolve"), () => doing("resolve", {}, say("act.resolved")))),
    make("fieldset", { className: "judging" }, make("legend", { textContent: say("act.right") }),
      ...VERDICTS.map((verdict) => button(say(`act.${verdict}`), () => doing("verdict", { verdict }, say("act.judged"))))));
  return form;
}
