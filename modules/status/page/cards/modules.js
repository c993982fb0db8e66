// The modules: how each is, what it costs, what became of its settings; and the models that judge.
import { data, empty, keyed, make, pill, said, setText } from "../lib/draw.js";
import { bytes, duration, milliseconds, none, number, percent, rate } from "../lib/format.js";
import { get, lastOf, on, Refused, tell } from "../lib/gateway.js";
import { say, sayOr } from "../lib/words.js";

const at = (id) => document.getElementById(id);
const MODELS_EVERY_MS = 10_000;
const COLUMNS = ["name", "state", "cpu", "memory", "restarts", "up", "in", "out", "says"];

const cell = (name, ...children) => make("td", { className: name, data: { name: say(`column.${name}`) } }, ...children);

function showModules(overview) {
  at("modules-none").hidden = overview.modules.length > 0;
  keyed(at("modules"), overview.modules, (each) => each.name, module);
}

function module(each, before) {
  const row = before ?? make("tr");
  const container = each.container ?? null;
  const cpu = container?.cpu_percent != null ? container.cpu_percent / 100 : each.cpu_share;
  const cells = {
    name: [make("b", {}, data(each.name)), " ", data(each.version ?? "", { className: "soft" })],
    state: [pill(each.state, say(`module.${each.state}`))],
    cpu: [data(percent(cpu, 1))],
    memory: [data(bytes(container?.memory_bytes ?? each.rss_bytes))],
    restarts: [data(number(container?.restarts ?? Math.max(0, (each.starts ?? 1) - 1)))],
    up: [data(each.heard_s === null ? none : duration(each.uptime_s))],
    in: [data(rate(each.rates?.received))],
    out: [data(rate(each.rates?.sent))],
    says: says(each),
  };
  row.replaceChildren(...COLUMNS.map((name) => cell(name, ...cells[name])));
  return row;
}

function says(each) {
  const settings = each.settings ?? {};
  const counters = each.counters ?? {};
  const parts = [
    each.text ? said(each.text) : null,
    settings.ok === false && !each.text?.includes(settings.error) ? make("span", {}, `${say("module.refused")} `, said(settings.error)) : null,
    settings.local ? say("module.local", { count: settings.local }) : null,
    counters.rejected ? say("module.rejected", { count: number(counters.rejected) }) : null,
    counters.dead ? say("module.dead", { count: number(counters.dead) }) : null,
    counters.dropped ? say("module.dropped", { count: number(counters.dropped) }) : null,
  ].filter(Boolean);
  return parts.flatMap((part, place) => (place ? [" · ", part] : [part]));
}

async function loadModels() {
  if (document.visibilityState === "hidden" || lastOf("connection") !== "live") return;
  try {
    tell("models", (await get("models")).models);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    setText(at("models-said"), say("models.failed"));
  }
}

function showModels(models) {
  setText(at("models-said"), models.length ? "" : say("models.none"));
  keyed(at("models"), models, (each) => `${each.name} ${each.version}`, model);
}

function model(each, before) {
  const item = before ?? make("li");
  const refused = Object.entries(each.refused ?? {}).map(([what, reason]) => say("model.refused", { what, reason }));
  const why = [each.error, ...refused, each.because, each.instead_of && say("model.instead_of", { version: each.instead_of })].filter(Boolean).join("; ");
  const latency = each.latency?.mean_ms;
  const provider = (each.provider ?? each.providers?.[0])?.replace(/ExecutionProvider$/, "");
  const facts = [each.precision, provider, typeof latency === "number" ? milliseconds(latency) : null].filter(Boolean);
  item.replaceChildren(make("b", {}, data(each.name)), " ", data(each.version ?? none, { className: "soft" }), " ",
    pill(each.state, sayOr(`model.${each.state}`, each.state)),
    make("p", {}, data(facts.join(" · "))), ...(why ? [make("p", {}, said(String(why)))] : []));
  return item;
}

export function startModules() {
  on("overview", showModules);
  on("models", showModels);
  on("connection", loadModels);
  setInterval(loadModels, MODELS_EVERY_MS);
}
