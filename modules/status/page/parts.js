// Each card of the page from the document it shows.
import { make, spark } from "./draw.js";
import { bytes, count, duration, milliseconds, none, quantity, timeOf } from "./format.js";

const at = (id) => document.getElementById(id);

export function showVerdict(line) {
  document.body.dataset.level = line.level;
  document.title = `${{ ok: "✓", warn: "!", stop: "✕", unknown: "…" }[line.level]} Millwatch`;
  const headline = line.headline.replaceAll("-", "\u2011"); // a name is not broken at its hyphen
  if (at("headline").textContent !== headline) at("headline").textContent = headline;
  at("headline").classList.toggle("long", headline.length > 36);
  const rest = line.details.length - 3;
  at("details").replaceChildren(
    ...line.details.slice(0, 3).map((text) => make("li", { textContent: text })),
    ...(rest > 0 ? [make("li", { textContent: `and ${rest} more` })] : []),
  );
}

export function showFigures(overview) {
  const received = overview.modules.reduce((sum, module) => sum + (module.rates.received ?? 0), 0);
  at("figures").replaceChildren(
    figure("Alert after", milliseconds(overview.latency.p50_ms), "median, sample to page"),
    figure("99 % within", milliseconds(overview.latency.p99_ms), "of all alerts kept"),
    figure("Messages", `${count(received)}/s`, "handled by all modules"),
    figure("Waiting", count(overview.queue.depth), "for the cloud"),
  );
}

function figure(name, value, title) {
  return make("div", { title }, make("dt", { textContent: name }), make("dd", { textContent: value }));
}

export function showChips(overview) {
  chip("chip-hub", overview.connected ? "up" : "down", overview.connected ? "edgeHub connected" : "edgeHub away");
  const link = overview.queue.link;
  chip("chip-link", link, { up: "cloud connected", down: "cloud away", slow: "cloud slow" }[link] ?? "cloud unknown");
}

function chip(id, state, text) {
  at(id).dataset.state = state;
  at(id).textContent = text;
}

export function showModules(modules) {
  at("modules").replaceChildren(
    ...modules.map((module) =>
      make(
        "tr",
        {},
        make("td", {}, make("b", { textContent: module.name }), make("small", { textContent: module.version })),
        make("td", {}, make("span", { className: "pill", data: { state: module.state }, textContent: module.state })),
        number(`${count(module.rates.received ?? 0)}/s`),
        number(`${count(module.rates.sent ?? 0)}/s`),
        number(module.cpu_share === null ? none : `${(module.cpu_share * 100).toFixed(1)} %`),
        number(bytes(module.rss_bytes)),
        number(duration(module.uptime_s)),
        make("td", { textContent: says(module) }),
      ),
    ),
  );
}

function number(text) {
  return make("td", { className: "number", textContent: text });
}

function says(module) {
  const parts = [module.text];
  if (module.starts > 1) parts.push(`started ${module.starts} times`);
  if (module.counters.rejected) parts.push(`${count(module.counters.rejected)} refused`);
  if (module.counters.dead) parts.push(`${count(module.counters.dead)} set aside`);
  if (module.counters.dropped) parts.push(`${count(module.counters.dropped)} dropped`);
  return parts.filter(Boolean).join(" · ");
}

export function showQueue(queue) {
  if (!queue.known) {
    at("queue").replaceChildren(make("p", { className: "empty", textContent: "The cache has not reported yet." }));
    return;
  }
  const rows = [
    ["Waiting", count(queue.depth)],
    ["Size", bytes(queue.bytes)],
    ["Oldest", queue.depth ? duration(queue.oldest_s) : none],
    ["Room for an outage of", queue.hours_left === undefined || queue.hours_left === null ? none : duration(queue.hours_left * 3600)],
  ];
  const confirmed = queue.confirmed_at ? `Last confirmed by the cloud at ${timeOf(queue.confirmed_at)}.` : "";
  const lost = Object.entries(queue.dropped ?? {}).map(([reason, n]) => `${count(n)} dropped: ${reason}`);
  at("queue").replaceChildren(
    make("dl", { className: "pair" }, ...rows.map(([name, value]) =>
      make("div", {}, make("dt", { textContent: name }), make("dd", { textContent: value })))),
    spark(queue.trend ?? [], { label: "messages waiting over the last minutes" }),
    make("p", { className: "note", textContent: [confirmed, ...lost].filter(Boolean).join(" ") || "Nothing was dropped." }),
  );
}

export function showSensors(shown) {
  const order = { fail: 0, warn: 1, ok: 2 };
  const sensors = shown.sensors
    .map((sensor) => ({ ...sensor, level: levelOf(sensor) }))
    .sort((a, b) => order[a.level] - order[b.level] || (riskOf(b) ?? 0) - (riskOf(a) ?? 0) || a.source.localeCompare(b.source));
  at("sensors-count").textContent = sensors.length ? `${sensors.length}` : "";
  if (!sensors.length) {
    at("sensors").replaceChildren(make("p", { className: "empty", textContent: shown.text ?? "No sensor has sent a reading yet." }));
    return;
  }
  at("sensors").replaceChildren(...sensors.slice(0, 24).map(tile));
}

function riskOf(sensor) {
  if (typeof sensor.risk === "number") return sensor.risk;
  return typeof sensor.value === "number" && sensor.limit ? sensor.value / sensor.limit : null;
}

function levelOf(sensor) {
  const risk = riskOf(sensor);
  if (["ok", "normal"].includes(sensor.state)) return "ok";
  if (["critical", "fail"].includes(sensor.state) || (risk !== null && risk > 0.7)) return "fail";
  if (["warning", "warn"].includes(sensor.state) || (risk !== null && risk > 0.4)) return "warn";
  return "ok";
}

function tile(sensor) {
  const [value, unit] = quantity(sensor.value, sensor.unit);
  const risk = riskOf(sensor);
  const share = risk === null ? "" : ` ${Math.round(risk * 100)} % of limit`;
  return make(
    "article",
    { className: "tile", data: { state: sensor.level }, title: `${sensor.source}${share}` },
    make("h3", {}, ...placed(sensor.source)),
    make("p", { className: "value" }, value, make("small", { textContent: ` ${unit}${share ? " ·" + share : ""}` })),
    spark(sensor.trend ?? [], { limit: sensor.limit ?? null, label: `${sensor.source}: ${value} ${unit}` }),
  );
}

// "press3/vibration-velocity": what is measured stands out, where it is comes with it.
function placed(source) {
  const cut = source.lastIndexOf("/");
  return cut < 0 ? [source] : [make("span", { textContent: `${source.slice(0, cut)} ` }), source.slice(cut + 1)];
}

const pictures = new Map();

export function showCameras(cameras, newestOf) {
  if (!cameras.length) return;
  if (!pictures.size) at("cameras").replaceChildren();
  for (const camera of cameras) {
    let picture = pictures.get(camera.name);
    if (!picture) {
      picture = {
        image: make("img", { alt: `last picture of ${camera.name}`, src: camera.picture }),
        seen: make("span", { className: "seen", hidden: true }),
        note: make("span"),
        address: camera.picture,
      };
      picture.image.addEventListener("error", () => { picture.image.hidden = true; });
      picture.image.addEventListener("load", () => { picture.image.hidden = false; });
      pictures.set(camera.name, picture);
      at("cameras").append(make("figure", {}, picture.image, picture.seen,
        make("figcaption", {}, make("b", { textContent: camera.name }), picture.note)));
    }
    const alert = newestOf(`camera/${camera.name}`);
    // The verdict of another part must not stand over this one.
    const ofThis = alert && (alert.item ? alert.item === camera.item : alert.sampled === camera.shown);
    picture.seen.hidden = !ofThis;
    if (ofThis) {
      picture.seen.dataset.severity = alert.severity;
      const sure = typeof alert.probability === "number" ? ` ${Math.round(alert.probability * 100)} %` : "";
      picture.seen.textContent = `${alert.label ?? alert.text}${sure}`;
    }
    picture.note.textContent = camera.error ?? [
      camera.item,
      camera.shown ? timeOf(camera.shown) : null,
      `${count(camera.sent ?? 0)} of ${count(camera.frames ?? 0)} looked at`,
    ].filter(Boolean).join(" · ");
  }
}

export function refreshPictures() {
  for (const picture of pictures.values()) picture.image.src = `${picture.address}?at=${Date.now()}`;
}

export function alertRow(alert, times = 1) {
  const value = typeof alert.value === "number" ? quantity(alert.value, alert.unit).join(" ") : "";
  const tag = [alert.severity, alert.state, value, times > 1 ? `× ${times}` : ""].filter(Boolean).join(" · ");
  return row(alert, tag, alert.sampled, `${alert.sampled}, received ${milliseconds(alert.latency_ms)} later`,
    alert.acknowledged ? handledBy(alert.acknowledged) : make("span"));
}

// What holds right now, the worst first: this is what a person acts on.
export function showHolding(conditions, onAct) {
  const list = at("holding");
  if (list.contains(document.activeElement)) return;
  list.replaceChildren(...conditions.filter((each) => !each.item && each.severity !== "info").slice(0, 6).map((each) => {
    const since = new Date(each.since * 1000).toISOString();
    const act = each.acknowledged
      ? make("span", { className: "handled", textContent: "taken care of" })
      : make("button", { type: "button", textContent: "Acknowledge", onclick: () => onAct(each) });
    const element = row(each, `${each.severity} · holds`, since, `since ${since}`, act);
    if (each.acknowledged) element.classList.add("acknowledged");
    return element;
  }));
}

// The source stands above already.
function said(alert) {
  return alert.text.startsWith(alert.source) ? alert.text.slice(alert.source.length).replace(/^:\s*/, "") : alert.text;
}

function handledBy({ who, why }) {
  return make("span", { className: "handled", textContent: why ? `${who}: ${why}` : who });
}

function row(alert, tag, time, title, last) {
  return make(
    "li",
    { className: "alert", data: { severity: alert.severity, state: alert.state } },
    make("span", { className: "bar", title: `${alert.severity}, ${alert.state}` }),
    make("time", { dateTime: time, textContent: timeOf(time), title }),
    make("div", { className: "what" },
      make("b", { textContent: alert.source }), make("span", { className: "tag", textContent: tag }),
      make("p", { textContent: [said(alert), alert.advice].filter(Boolean).join(" — ") })),
    last,
  );
}
