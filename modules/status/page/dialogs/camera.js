// One camera: its picture, the heat map, and the gate's tuner (what moved, how much, and the threshold it is held against).
import { button, data, make, pairs, setText } from "../lib/draw.js";
import { chart } from "../lib/chart.js";
import { number, percent } from "../lib/format.js";
import { get, part, picture, Refused } from "../lib/gateway.js";
import { say } from "../lib/words.js";
import { field, openDialog } from "./dialog.js";
import { act, iAm, inWords, me } from "./token.js";

const VIEWS = { picture: "picture", heatmap: "heatmap", gate: "gate.jpg" };
const EVERY_MS = 500;
const SHOWN_S = 120;

export function openCamera(camera) {
  let view = "picture";
  const image = make("img", { className: "large", alt: say("camera.picture_of", { name: camera.name }) });
  const missing = make("p", { className: "empty", hidden: true });
  image.addEventListener("load", () => { image.hidden = false; missing.hidden = true; });
  image.addEventListener("error", () => { image.hidden = true; missing.hidden = false; setText(missing, say(`camera.no_${view}`)); });
  const tabs = Object.keys(VIEWS).map((name) => button(say(`camera.view_${name}`), () => choose(name), { data: { view: name } }));
  const choose = (name) => {
    view = name;
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
    turn();
  };
  const tuner = tunerOf(camera);
  const turn = () => {
    image.src = `${picture(camera.name, VIEWS[view])}?at=${Date.now()}`;
    tuner.turn();
  };
  const timer = setInterval(turn, EVERY_MS);
  openDialog(data(camera.name), [
    make("div", { className: "switch", role: "group", ariaLabel: say("camera.views") }, ...tabs),
    make("div", { className: "screen" }, image, missing),
    tuner.element,
  ], { wide: true, closed: () => clearInterval(timer) });
  choose(view);
}

function tunerOf(camera) {
  const at = `cameras/${part(camera.name)}`;
  const area = make("div", { className: "plot" });
  const facts = make("dl", { className: "facts" });
  const wrong = make("p", { className: "wrong", role: "alert" });
  const result = make("p", { className: "result", role: "status" });
  const shown = make("output", {});
  const slider = make("input", { type: "range", min: 1, max: 100, step: 1, name: "threshold" });
  const who = make("input", { required: true, maxLength: 80, autocomplete: "name", value: me(), name: "who" });
  const form = make("form", { className: "form" });
  let touched = false;
  let asking = false;
  slider.addEventListener("input", () => { touched = true; setText(shown, number(Number(slider.value))); });

  const doing = async (path, body, done) => {
    if (!form.reportValidity()) return;
    setText(wrong, "");
    iAm(who.value);
    try {
      await act(path, { who: who.value, ...body });
      setText(result, done);
      touched = false;
    } catch (error) {
      setText(wrong, inWords(error));
    }
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    doing(`${at}/threshold`, { threshold: Number(slider.value) }, say("tuner.set_done"));
  });
  form.append(
    field(say("tuner.threshold"), make("span", { className: "slider" }, slider, shown)),
    field(say("act.who"), who),
    make("div", { className: "buttons" },
      make("button", { type: "submit", className: "primary", textContent: say("tuner.set") }),
      button(say("tuner.background"), () => doing(`${at}/snapshotBackground`, {}, say("tuner.background_done"))),
      button(say("tuner.capture"), () => doing(`${at}/captureNow`, {}, say("tuner.capture_done")))),
  );

  const show = (gate) => {
    if (!touched && typeof gate.threshold === "number") {
      slider.max = Math.max(100, Math.ceil(gate.threshold * 2));
      slider.value = gate.threshold;
      setText(shown, number(gate.threshold));
    }
    facts.replaceChildren(...pairs([
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

function chartOf(gate, width) {
  const newest = gate.areas?.length ? gate.areas.at(-1)[0] : 0;
  const points = (gate.areas ?? []).map(([at, share]) => [at - newest, share * 100]);
  const high = Math.max(gate.min_area * 300 || 1, ...points.map(([, share]) => share));
  return chart({
    points, width, height: 190,
    x: { low: -SHOWN_S, high: 0, label: say("tuner.axis_time") },
    y: { low: 0, high, label: say("tuner.axis_area") },
    limits: [{ y: gate.min_area * 100, label: say("tuner.min_area") }],
    label: say("tuner.chart", { now: percent((points.at(-1)?.[1] ?? 0) / 100, 2), limit: percent(gate.min_area, 2) }),
  });
}
