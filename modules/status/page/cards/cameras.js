// The cameras: the newest picture of each with what the model saw in it; more in its dialog.
import { data, keyed, make, said, screen, setText, when } from "../lib/draw.js";
import { duration, number } from "../lib/format.js";
import { get, lastOf, on, part, picture, Refused } from "../lib/gateway.js";
import { verdictText } from "../lib/seen.js";
import { say, sayOr } from "../lib/words.js";
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
    image: screen({ src: picture(each.name, "picture") }),
    heat: screen({ className: "heat", hidden: true }),
    seen: make("span", { className: "seen", translate: false }),
    judgedAt: make("small"),
    trouble: make("p", { className: "trouble", hidden: true }),
    note: make("span", { className: "soft" }),
    askAgain: 0,
  };
  parts.judged = make("div", { className: "judged", hidden: true }, parts.heat,
    make("p", {}, parts.judgedAt, " ", parts.seen));
  parts.image.addEventListener("error", () => { parts.image.hidden = true; });
  parts.heat.addEventListener("error", () => { parts.heat.hidden = true; });
  parts.heat.addEventListener("load", () => { parts.heat.hidden = false; });
  parts.image.addEventListener("load", () => { parts.image.hidden = false; });
  parts.opener = make("button", { type: "button", className: "look", onclick: () => openCamera(parts.camera) }, parts.image);
  parts.figure = make("figure", {}, make("div", { className: "screen" }, parts.opener, parts.judged, parts.trouble),
    make("figcaption", {}, make("b", {}, data(each.name)), parts.note));
  return parts;
}

// What the model said of the last picture it judged. That is an earlier one than the live picture: so it stands with its
// own picture under the heat map, and names its part.
function showVerdict(parts, name, verdict) {
  parts.judged.hidden = !verdict;
  if (!verdict) return;
  parts.judgedAt.replaceChildren(say("camera.judged"), ...(verdict.time ? [" ", when(verdict.time)] : []));
  parts.judged.dataset.ok = verdict.ok;
  setText(parts.seen, verdictText(verdict));
  parts.heat.alt = say(verdict.ok ? "camera.judged_of" : "camera.heat_of", { name: verdict.item ?? name });
  if (parts.heat.dataset.of === String(verdict.n)) return;
  parts.heat.dataset.of = verdict.n;
  if (verdict.heat) parts.heat.src = `${picture(name, "heatmap")}?of=${verdict.n}`;
  else parts.heat.hidden = true;
}

async function askVerdict(parts, name) {
  if (parts.askAgain > Date.now()) return;
  try {
    showVerdict(parts, name, await get(`cameras/${part(name)}/verdict`));
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    parts.askAgain = Date.now() + NO_VERDICT_MS; // no model looks at this camera
    showVerdict(parts, name, null);
  }
}

async function refresh() {
  if (document.visibilityState !== "visible" || lastOf("connection") !== "live") return;
  for (const [name, parts] of pictures) {
    parts.image.src = `${picture(name, "picture")}?at=${Date.now()}`;
    await askVerdict(parts, name);
  }
}

export function startCameras() {
  on("overview", show);
  setInterval(refresh, EVERY_MS);
}
