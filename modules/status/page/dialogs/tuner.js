// A camera's motion gate: how much moved over the last two minutes, the threshold in force, and another one in its place.
import { button, make, pairs, setText } from "../lib/draw.js";
import { chart } from "../lib/chart.js";
import { number, percent } from "../lib/format.js";
import { get, part, Refused } from "../lib/gateway.js";
import { say } from "../lib/words.js";
import { field } from "./dialog.js";
import { act, iAm, inWords, me } from "./token.js";

const SHOWN_S = 120;
const LARGEST = 255; // grey levels
const LEAST = 0.01; // % of the picture; less counts as nothing

export function tunerOf(camera) {
  const at = `cameras/${part(camera.name)}`;
  const area = make("div", { className: "plot" });
  const facts = make("dl", { className: "facts" });
  const wrong = make("p", { className: "wrong", role: "alert" });
  const result = make("p", { className: "result", role: "status" });
  const shown = make("output", {});
  const slider = make("input", { type: "range", min: 1, max: 100, step: 1, name: "threshold" });
  const who = make("input", { required: true, maxLength: 80, autocomplete: "name", value: me(), name: "who" });
  const form = make("form", { className: "form" });
  let touched = false; // the slider is the person's until the camera uses what was set
  let wanted = null; // what was asked for and is not in force yet
  let asking = false;
  slider.addEventListener("input", () => { touched = true; setText(shown, number(Number(slider.value))); });

  const doing = async (path, body, done) => {
    if (!form.reportValidity()) return false;
    setText(wrong, "");
    setText(result, "");
    iAm(who.value);
    try {
      await act(path, { who: who.value, ...body });
      setText(result, done);
      return true;
    } catch (error) {
      setText(wrong, inWords(error));
      return false;
    }
  };
  const set = async (threshold, done) => {
    if (await doing(`${at}/threshold`, { threshold }, done)) [wanted, touched] = [threshold, threshold !== null];
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    set(Number(slider.value), say("tuner.set_done"));
  });
  form.append(
    field(say("tuner.threshold"), make("span", { className: "slider" }, slider, shown)),
    make("p", { className: "hint", textContent: say("tuner.how") }),
    field(say("act.who"), who),
    make("div", { className: "buttons" },
      make("button", { type: "submit", className: "primary", textContent: say("tuner.set") }),
      button(say("tuner.take_back"), () => set(null, say("tuner.take_back_done"))),
      button(say("tuner.background"), () => doing(`${at}/snapshotBackground`, {}, say("tuner.background_done"))),
      button(say("tuner.capture"), () => doing(`${at}/captureNow`, {}, say("tuner.capture_done")))),
  );

  const show = (gate) => {
    if (wanted !== null && gate.threshold === wanted) {
      setText(result, say("tuner.in_force", { value: number(wanted) }));
      [wanted, touched] = [null, false];
    }
    if (!touched && typeof gate.threshold === "number") {
      slider.max = Math.min(LARGEST, Math.max(100, Math.ceil(gate.threshold * 2)));
      slider.value = gate.threshold;
      setText(shown, number(gate.threshold));
    }
    facts.replaceChildren(...pairs([
      [say("tuner.now"), make("span", {}, number(gate.threshold), " ", make("small", { textContent: say(gate.automatic ? "tuner.automatic" : "tuner.fixed") }))],
      [say("tuner.noise"), number(gate.noise)],
      [say("tuner.min_area"), percent(gate.min_area, 2)],
      [say("tuner.triggers"), number(gate.triggers)],
      [say("tuner.calibrated"), make("span", { textContent: say(gate.calibrated ? "yes" : "no") })],
    ]));
    area.replaceChildren(chartOf(gate, Math.max(220, area.clientWidth)));
  };
  const turn = async () => {
    if (asking) return;
    asking = true;
    try {
      show(await get(`${at}/gate`));
      form.hidden = false;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      form.hidden = true;
      area.replaceChildren(make("p", { className: "empty", textContent: say("tuner.none") }));
    } finally {
      asking = false;
    }
  };
  return { turn, element: make("section", { className: "tuner" }, make("h3", { textContent: say("tuner.title") }), area, facts, form, result, wrong) };
}

// By powers of ten: noise, the smallest area that counts and a part that fills the picture are all to be seen at once.
function chartOf(gate, width) {
  const newest = gate.areas?.length ? gate.areas.at(-1)[0] : 0;
  const power = (share) => Math.log10(Math.max(LEAST, share * 100));
  return chart({
    points: (gate.areas ?? []).map(([at, share]) => [at - newest, power(share)]), width, height: 210,
    x: { low: -SHOWN_S, high: 0, label: say("tuner.axis_time") },
    y: { low: power(0), high: 2, powers: true, label: say("tuner.axis_area") },
    limits: [{ y: power(gate.min_area), label: say("tuner.min_area") }],
    label: say("tuner.chart", { now: percent(gate.areas?.at(-1)?.[1] ?? 0, 2), limit: percent(gate.min_area, 2) }),
  });
}
