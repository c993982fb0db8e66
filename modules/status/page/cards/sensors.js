// The sensors, the worst first, a page at a time: ten thousand of them cost as much to draw as two dozen.
import { data, keyed, make, setText } from "../lib/draw.js";
import { spark } from "../lib/chart.js";
import { number, percent, quantity } from "../lib/format.js";
import { get, lastOf, on, Refused, tell } from "../lib/gateway.js";
import { say } from "../lib/words.js";
import { openSensor } from "../dialogs/sensor.js";

const at = (id) => document.getElementById(id);
const PAGE = 24;
const EVERY_MS = 2000;
const LEVELS = { normal: "ok", warning: "warn", critical: "fail" };
let match = "";
let cursors = [null]; // of the pages so far; the last is the one shown
let next = null;
let asked = 0;

const live = () => match === "" && cursors.length === 1;

// The first page without a filter comes with the stream; any other is asked for while someone looks.
function take(shown) {
  if (live()) show({ ...shown, sensors: shown.sensors.slice(0, PAGE), next: shown.next ?? (shown.sensors.length > PAGE ? PAGE : null) });
}

async function load() {
  const mine = ++asked;
  try {
    const page = await get("sensors", { match, limit: PAGE, cursor: cursors.at(-1) });
    if (mine === asked) show(page);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (mine === asked) show({ sensors: [], next: null, text: error.message });
  }
}

function show(page) {
  next = page.next ?? null;
  const sensors = page.sensors.map((each) => ({ ...each, level: levelOf(each) }));
  const all = page.matching ?? sensors.length;
  setText(at("sensors-count"), sensors.length ? number(all) : "");
  setText(at("sensors-said"), sensors.length ? "" : say(match ? "sensors.none_such" : page.text ? "sensors.failed" : "sensors.none"));
  at("sensors-pager").hidden = all <= PAGE && cursors.length === 1;
  at("sensors-before").disabled = cursors.length === 1;
  at("sensors-next").disabled = next === null;
  const first = (cursors.length - 1) * PAGE;
  setText(at("sensors-place"), say("sensors.place", { from: number(first + 1), to: number(first + sensors.length), all: number(all) }));
  keyed(at("sensors"), sensors, (each) => each.source, tile);
}

export function riskOf(sensor) {
  if (typeof sensor.risk === "number") return sensor.risk;
  return typeof sensor.value === "number" && sensor.limit ? sensor.value / sensor.limit : null;
}

export function levelOf(sensor) {
  return LEVELS[sensor.state] ?? (["ok", "warn", "fail"].includes(sensor.state) ? sensor.state : "ok");
}

function tile(sensor, before) {
  const [value, unit] = quantity(sensor.value, sensor.unit);
  const risk = riskOf(sensor);
  const item = before ?? make("li", { className: "tile" });
  item.dataset.state = sensor.level;
  const opener = item.querySelector("button") ?? make("button", { type: "button", className: "open" });
  opener.onclick = () => openSensor(sensor);
  opener.replaceChildren(...placed(sensor.source));
  opener.ariaLabel = say("sensors.open", { name: sensor.source, value: `${value} ${unit}`, level: say(`sensor.${sensor.level}`) });
  opener.title = sensor.source;
  const facts = [risk === null ? "" : say("sensors.of_limit", { share: percent(risk) }),
    sensor.level === "ok" ? "" : say(`sensor.${sensor.level}`)].filter(Boolean);
  item.replaceChildren(
    make("h3", {}, opener),
    make("p", { className: "value" }, data(value), make("small", {}, " ", data(unit),
      ...facts.flatMap((fact) => [" · ", make("span", { textContent: fact })]))),
    spark(sensor.trend ?? [], { limit: sensor.limit ?? null, label: say("sensors.trend", { name: sensor.source }) }),
  );
  return item;
}

// "press3/vibration-velocity": what is measured stands out, where it is comes with it.
function placed(source) {
  const cut = source.lastIndexOf("/");
  if (cut < 0) return [data(source)];
  return [data(source.slice(0, cut), { className: "soft" }), data(source.slice(cut + 1))];
}

function turn(step) {
  if (step > 0 && next !== null) cursors.push(next);
  else if (step < 0 && cursors.length > 1) cursors.pop();
  const kept = lastOf("sensors");
  if (live() && kept) take(kept);
  else load();
}

export function startSensors() {
  on("sensors", take);
  at("sensor-match").addEventListener("input", (event) => {
    match = event.target.value.trim();
    cursors = [null];
    if (live() && lastOf("sensors")) take(lastOf("sensors"));
    else load();
  });
  at("sensors-before").addEventListener("click", () => turn(-1));
  at("sensors-next").addEventListener("click", () => turn(1));
  setInterval(() => { if (!live() && document.visibilityState === "visible" && lastOf("connection") === "live") load(); }, EVERY_MS);
}

export const tellSensors = () => { if (!live()) load(); else if (lastOf("sensors")) tell("sensors", lastOf("sensors")); };
