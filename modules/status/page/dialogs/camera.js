// One camera: its picture, the last one that was judged under its heat map, and what the gate sees, beside its tuner.
import { button, data, make, said, screen, setText, when } from "../lib/draw.js";
import { get, part, picture, Refused } from "../lib/gateway.js";
import { say, sayOr } from "../lib/words.js";
import { verdictText } from "../lib/seen.js";
import { openDialog } from "./dialog.js";
import { tunerOf } from "./tuner.js";

const VIEWS = { picture: "picture", heatmap: "heatmap", gate: "gate.jpg" };
const EVERY_MS = 500;
const COLOURS = ["differs", "moves", "watched", "ignored"]; // as the camera module paints them

export function openCamera(camera) {
  let view = "picture";
  let judged = null; // number of the verdict whose picture is shown
  const image = screen({ className: "large" });
  const missing = make("p", { className: "empty", hidden: true });
  const legend = make("p", { className: "legend" });
  image.addEventListener("load", () => { image.hidden = false; missing.hidden = true; });
  image.addEventListener("error", () => nothing());
  const nothing = () => { image.hidden = true; missing.hidden = false; setText(missing, say(`camera.no_${view}`)); };
  const tabs = Object.keys(VIEWS).map((name) => button(say(`camera.view_${name}`), () => choose(name), { data: { view: name } }));
  const choose = (name) => {
    view = name;
    judged = null;
    image.alt = say(name === "picture" ? "camera.picture_of" : `camera.${name}_of`, { name: camera.name });
    for (const tab of tabs) tab.setAttribute("aria-pressed", String(tab.dataset.view === name));
    legend.replaceChildren(...(name === "gate" ? colours() : [camera.trouble ? said(camera.trouble) : ""]));
    turn();
  };
  const tuner = tunerOf(camera);
  const turn = () => {
    if (view === "heatmap") showJudged();
    else image.src = `${picture(camera.name, VIEWS[view])}?at=${Date.now()}`;
    tuner.turn();
  };
  const showJudged = async () => {
    try {
      const verdict = await get(`cameras/${part(camera.name)}/verdict`);
      if (view !== "heatmap" || verdict.n === judged) return;
      judged = verdict.n; // a heat map is worked out anew each time it is asked for: once for each verdict is enough
      image.src = `${picture(camera.name, VIEWS.heatmap)}?of=${judged}`;
      legend.replaceChildren(data(verdictText(verdict)), ...(verdict.time ? [" · ", when(verdict.time)] : []), ...(verdict.heat ? [" · ", say("camera.legend_heatmap")] : []));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (view === "heatmap") nothing();
    }
  };
  const timer = setInterval(turn, EVERY_MS);
  const state = camera.state ?? "ok";
  openDialog(make("span", {}, data(camera.name), state === "ok" ? "" : ` · ${sayOr(`camera.${state}`, state)}`), [
    make("div", { className: "workbench" },
      make("div", {},
        make("div", { className: "switch", role: "group", ariaLabel: say("camera.views") }, ...tabs),
        make("div", { className: "screen" }, image, missing), legend),
      tuner.element),
  ], { wide: "widest", closed: () => clearInterval(timer) });
  choose(view);
}

const colours = () => COLOURS.map((name) => make("span", { className: "colour", data: { colour: name }, textContent: say(`camera.colour_${name}`) }));
