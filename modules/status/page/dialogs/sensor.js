// One sensor: its last readings or waveform, and the spectra with the places where each part of a bearing would knock.
import { data, make, pairs, setText, when } from "../lib/draw.js";
import { chart } from "../lib/chart.js";
import { number, quantity, scaleOf, shownUnit } from "../lib/format.js";
import { get, path, Refused } from "../lib/gateway.js";
import { say, sayOr } from "../lib/words.js";
import { openDialog } from "./dialog.js";

const EVERY_MS = 2000;
const HARMONICS = 3;
const PARTS = { BPFO: "outer race", BPFI: "inner race", "2xBSF": "rolling element", FTF: "cage" };

export function openSensor(sensor) {
  const facts = make("dl", { className: "facts" });
  const curves = make("div", { className: "curves" });
  const wrong = make("p", { className: "wrong", role: "alert" });
  let open = true;
  const turn = async () => {
    try {
      const windows = await get(`sensors/${path(sensor.source)}/windows`);
      const detail = { ...sensor, ...windows.last, ...windows };
      const spectrum = detail.kind === "waveform" ? await get(`sensors/${path(sensor.source)}/spectrum`) : null;
      if (!open) return;
      setText(wrong, "");
      facts.replaceChildren(...pairs(rows(detail, spectrum)));
      curves.replaceChildren(...drawn(detail, spectrum, Math.max(220, curves.clientWidth)));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      setText(wrong, say("sensor.failed"));
    }
  };
  const timer = setInterval(turn, EVERY_MS);
  openDialog(data(sensor.source), [facts, curves, wrong], { wide: "wide", closed: () => { open = false; clearInterval(timer); } });
  turn();
}

function rows(detail, spectrum) {
  const shown = (value) => (typeof value === "number" ? quantity(value, detail.unit).join(" ") : null);
  const found = [
    [say("sensor.state"), make("span", { textContent: say(`sensor.${{ normal: "ok", warning: "warn", critical: "fail" }[detail.state] ?? "ok"}`) })],
    [say(detail.kind === "waveform" ? "sensor.rms" : "sensor.value"), shown(detail.value)],
    [say("sensor.limit"), shown(detail.limit)],
    [say("sensor.mean"), shown(detail.mean)],
    [say("sensor.sigma"), shown(detail.sigma)],
    [say("sensor.peak"), shown(detail.peak)],
    [say("sensor.crest"), typeof detail.crest === "number" ? number(detail.crest) : null],
    [say("sensor.kurtosis"), typeof detail.kurtosis === "number" ? number(detail.kurtosis) : null],
    [say("sensor.velocity"), typeof detail.velocity === "number" ? quantity(detail.velocity, "m/s").join(" ") : null],
    [say("sensor.zone"), detail.zone ?? null],
    [say("sensor.speed"), spectrum?.speed_hz ? `${number(spectrum.speed_hz)} Hz` : null, spectrum?.speed_estimated ? say("sensor.estimated") : ""],
    [say("sensor.rate"), typeof detail.rate_hz === "number" ? `${number(detail.rate_hz)} Hz` : null],
    [say("sensor.time"), detail.time ? when(detail.time) : null],
    [say("sensor.machine"), detail.machine ? make("span", { textContent: sayOr(`machine.${detail.machine}`, detail.machine) }) : null],
  ];
  return found.filter(([, value]) => value);
}

function drawn(detail, spectrum, width) {
  const unit = shownUnit(detail.unit);
  const scale = scaleOf(detail.unit);
  const found = [];
  if (detail.recent?.length > 1) found.push(titled(say("sensor.recent"), recent(detail, unit, scale, width)));
  if (detail.waveform?.values?.length > 1) found.push(titled(say("sensor.waveform"), waveform(detail.waveform, unit, scale, width)));
  if (spectrum?.envelope) found.push(titled(say("sensor.envelope"), envelope(spectrum, width), orders(spectrum, detail)));
  if (spectrum?.amplitude?.length > 1) found.push(titled(say("sensor.spectrum"), amplitude(spectrum, unit, scale, width)));
  return found.length ? found : [make("p", { className: "empty", textContent: say("sensor.nothing") })];
}

const titled = (title, ...children) => make("section", {}, make("h3", { textContent: title }), ...children);

function around(values) {
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const room = (high - low) * 0.1 || Math.abs(high) * 0.1 || 1;
  return { low: low - room, high: high + room };
}

function recent(detail, unit, scale, width) {
  const values = detail.recent.map((value) => value * scale);
  const limit = typeof detail.limit === "number" && detail.limit * scale < around(values).high * 3 ? detail.limit * scale : null;
  return chart({
    points: values.map((value, place) => [place - values.length + 1, value]), width,
    x: { low: 1 - values.length, high: 0, label: say("axis.readings") },
    y: { ...around(limit === null ? values : [...values, limit]), label: unit },
    limits: limit === null ? [] : [{ y: limit, label: say("sensor.limit") }],
    label: say("chart.recent", { name: detail.source, count: values.length, unit }),
  });
}

function waveform({ step_s: step, values }, unit, scale, width) {
  const high = Math.max(...values.map(Math.abs)) * scale * 1.1 || 1;
  return chart({
    points: values.map((value, place) => [place * step * 1000, value * scale]), width, height: 200,
    x: { low: 0, high: values.length * step * 1000, label: say("axis.ms") },
    y: { low: -high, high, label: unit },
    label: say("chart.waveform", { unit }),
  });
}

function amplitude(spectrum, unit, scale, width) {
  const values = spectrum.amplitude.map((value) => value * scale);
  return chart({
    points: values.map((value, place) => [place * spectrum.step_hz, value]), width,
    x: { low: 0, high: spectrum.fs_hz / 2, label: say("axis.hz") },
    y: { low: 0, high: Math.max(...values) * 1.1 || 1, label: unit },
    marks: spectrum.speed_hz ? [{ x: spectrum.speed_hz, label: "1×", kind: "speed" }] : [],
    label: say("chart.spectrum", { unit, high: number(spectrum.fs_hz / 2) }),
  });
}

// The harmonics of each part, the rolling element's with sidebands a cage turn away, and the shaft's own turn.
export function marksOf(spectrum, high) {
  const { orders, speed_hz: speed } = spectrum;
  const marks = speed ? [{ x: speed, label: "1×", kind: "speed" }] : [];
  for (const [name, hertz] of Object.entries(orders ?? {})) {
    for (let harmonic = 1; harmonic <= HARMONICS && harmonic * hertz <= high; harmonic += 1) {
      const at = harmonic * hertz;
      marks.push({ x: at, label: harmonic === 1 ? name : `${harmonic}× ${name}`, kind: name.toLowerCase() });
      if (name === "2xBSF" && orders.FTF) marks.push(...[-1, 1].map((side) => ({ x: at + side * orders.FTF, label: "", kind: "sideband" })));
    }
    if (name === "FTF") marks.splice(marks.findIndex((each) => each.kind === "ftf") + 1, marks.filter((each) => each.kind === "ftf").length - 1);
  }
  return marks;
}

function envelope(spectrum, width) {
  const { first_hz: first, step_hz: step, amplitude: heights } = spectrum.envelope;
  const values = heights.map((value) => value * 100);
  const high = first + values.length * step;
  return chart({
    points: values.map((value, place) => [first + place * step, value]), width, height: 290,
    x: { low: 0, high, label: say("axis.hz") },
    y: { low: 0, high: Math.max(...values) * 1.1 || 1, label: say("axis.envelope") },
    marks: marksOf(spectrum, high),
    label: say("chart.envelope", { low: number(spectrum.envelope.band_hz[0]), high: number(spectrum.envelope.band_hz[1]) }),
  });
}

// What the marks say, as a table that can be read out.
function orders(spectrum, detail) {
  if (!Object.keys(spectrum.orders).length) return make("p", { className: "note", textContent: say("sensor.no_orders") });
  const head = ["order.part", "order.hz", "order.level"].map((key) => make("th", { scope: "col", textContent: say(key) }));
  return make("table", { className: "orders" }, make("thead", {}, make("tr", {}, ...head)), make("tbody", {},
    ...Object.entries(spectrum.orders).map(([name, hertz]) => {
      const level = detail.orders?.[PARTS[name]];
      return make("tr", { data: { kind: name.toLowerCase() } },
        make("th", { scope: "row" }, data(name), ` ${say(`label.${PARTS[name]}`)}`),
        make("td", {}, data(`${number(hertz, 1)} Hz`)),
        make("td", {}, typeof level === "number" ? data(`${number(level, 1)} ×`) : ""));
    })));
}
