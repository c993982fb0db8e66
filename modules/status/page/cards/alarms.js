// What alerts move: every output of the alarms module, and the test button. Shown where that module runs.
import { act, inWords, me } from "../dialogs/token.js";
import { button, data, keyed, make, pill, said, setText, when } from "../lib/draw.js";
import { number } from "../lib/format.js";
import { get, lastOf, on, Refused, tell } from "../lib/gateway.js";
import { say, sayOr } from "../lib/words.js";

const at = (id) => document.getElementById(id);
const EVERY_MS = 5000;

async function load() {
  const runs = lastOf("overview")?.modules.some((each) => each.name === "alarms");
  at("alarms-card").hidden = !runs;
  if (!runs || document.visibilityState === "hidden" || lastOf("connection") !== "live") return;
  try {
    tell("alarms", await get("alarms"));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    setText(at("alarms-said"), say("alarms.failed"));
  }
}

function show({ alarms, outputs }) {
  const sounding = alarms.filter((each) => each.sounds).length;
  setText(at("alarms-said"), sounding ? say("alarms.sound", { count: number(sounding) }) : say("alarms.silent"));
  keyed(at("outputs"), Object.entries(outputs), ([name]) => name, output);
}

function output([name, each], before) {
  const item = before ?? make("li");
  const facts = [
    data(each.type),
    each.level === undefined ? null : say(each.level ? "alarms.on" : "alarms.off"),
    each.pending ? say("alarms.pending", { count: number(each.pending) }) : null,
    each.last_success ? when(each.last_success) : null,
  ].filter(Boolean);
  const test = before?.querySelector("button") ?? button("", () => tryOut(name), {});
  setText(test, say("alarms.test"));
  test.ariaLabel = `${say("alarms.test")} ${name}`;
  const wrong = each.state === "failing" ? each.last_error : each.remark;
  item.replaceChildren(make("b", {}, data(name)), " ", pill(each.state, sayOr(`output.${each.state}`, each.state)), " ", test,
    make("p", {}, ...facts.flatMap((fact, place) => (place ? [" · ", fact] : [fact]))), ...(wrong ? [said(wrong, "p")] : []));
  return item;
}

async function tryOut(name) {
  try {
    await act("alarms/test", { output: name, who: me() || say("alarms.somebody") });
    setText(at("alarms-said"), say("alarms.asked", { name }));
  } catch (error) {
    setText(at("alarms-said"), inWords(error));
  }
}

export function startAlarms() {
  on("alarms", show);
  on("connection", load);
  on("overview", () => at("alarms-card").hidden && load());
  setInterval(load, EVERY_MS);
}
