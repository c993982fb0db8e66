// The cameras: the newest picture of each with what the model saw in it; more in its dialog.
import { data, keyed, make, said, setText, when } from "../lib/draw.js";
import { duration, number, percent } from "../lib/format.js";
import { get, lastOf, on, part, picture, Refused } from "../lib/gateway.js";
import { say, sayOr } from "../lib/words.js";
import { newestOf } from "./alerts.js";
import { openCamera } from "../dialogs/camera.js";

const at = (id) => document.getElementById(id);
const EVERY_MS = 1000;
const NO_VERDICT_MS = 30_000;
const pictures = new Map();

function show(overview) {
  at("cameras-none").hidden = overview.cameras.length > 0;
  const names = new Set(overview.cameras.map((each) => each.name));
  for (const name of pictures.keys()) if (!names.has(name)) pictures.delete(name);
  keyed(at("cameras"), overview.cameras, (each) => each.name, camera);
}

function camera(each, before) {
  if (!pictures.has(each.name) || !before) pictures.set(each.name, frame(each));
  const parts = pictures.get(each.name);
  parts.camera = each;
  parts.image.alt = say("camera.picture_of", { name: each.name });
  parts.opener.ariaLabel = say("camera.open", { name: each.name });
  const alert = newestOf(`camera/${each.name}`);
  // The verdict of another part must not stand over this one.
  const ofThis = alert && (alert.item ? alert.item === each.item : alert.sampled === each.shown);
  parts.seen.hidden = !ofThis;
  if (ofThis) {
    parts.seen.dataset.severity = alert.severity;
    const label = alert.label ? sayOr(`label.${alert.label}`, alert.label) : alert.text;
    setText(parts.seen, typeof alert.probability === "number" ? `${label} ${percent(alert.probability)}` : label);
  }
  const state = each.state ?? each.phase ?? "ok";
  const trouble = each.trouble ?? each.error ?? null;
  parts.trouble.hidden = !trouble && state === "ok";
  parts.trouble.replaceChildren(...(trouble ? [said(trouble)] : [sayOr(`camera.${state}`, state)]));
  parts.note.replaceChildren(...facts(each));
  return parts.figure;
}

function facts(each) {
  const found = [
    each.item ? data(each.item) : null,
    each.shown ? when(each.shown) : null,
    typeof each.fps === "number" ? data(`${number(each.fps, 1)}/s`) : null,
    typeof each.age_s === "number" && each.age_s > 5 ? say("camera.age", { age: duration(each.age_s) }) : null,
    each.sleeping ? say("camera.sleeping") : null,
    typeof each.frames === "number" ? say("camera.looked_at", { sent: number(each.sent ?? 0), frames: number(each.frames) }) : null,
  ].filter(Boolean);
  return found.flatMap((fact, place) => (place ? [" · ", fact] : [fact]));
}

function frame(each) {
  const parts = {
    image: make("img", { src: picture(each.name, "picture"), decoding: "async" }),
    boxes: make("div", { className: "boxes", ariaHidden: "true" }),
    seen: make("span", { className: "seen", hidden: true }),
    trouble: make("p", { className: "trouble", hidden: true }),
    note: make("span", { className: "soft" }),
    askAgain: 0,
  };
  parts.image.addEventListener("error", () => { parts.image.hidden = true; });
  parts.image.addEventListener("load", () => { parts.image.hidden = false; });
  parts.opener = make("button", { type: "button", className: "look", onclick: () => openCamera(parts.camera) }, parts.image, parts.boxes);
  parts.figure = make("figure", {}, make("div", { className: "screen" }, parts.opener, parts.seen, parts.trouble),
    make("figcaption", {}, make("b", {}, data(each.name)), parts.note));
  return parts;
}

// Boxes lie over the picture in shares of its size: x, y, width, height.
export function showBoxes(layer, verdict) {
  const boxes = Array.isArray(verdict?.boxes) ? verdict.boxes : [];
  layer.replaceChildren(...boxes.map(({ x, y, width, height, label }) => {
    const box = make("span", { className: "box" }, label ? data(sayOr(`label.${label}`, label)) : "");
    for (const [name, share] of Object.entries({ left: x, top: y, width, height })) box.style[name] = `${share * 100}%`;
    return box;
  }));
}

async function refresh() {
  if (document.visibilityState !== "visible" || lastOf("connection") !== "live") return;
  for (const [name, parts] of pictures) {
    parts.image.src = `${picture(name, "picture")}?at=${Date.now()}`;
    if (parts.askAgain > Date.now()) continue;
    try {
      showBoxes(parts.boxes, await get(`cameras/${part(name)}/verdict`));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      parts.askAgain = Date.now() + NO_VERDICT_MS; // no model looks at this camera
      parts.boxes.replaceChildren();
    }
  }
}

export function startCameras() {
  on("overview", show);
  setInterval(refresh, EVERY_MS);
}
