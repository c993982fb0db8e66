// The one thing that is read across the room: is the line all right, and if not, why.
import { data, keyed, make, pairs, said, setText } from "../lib/draw.js";
import { clock, duration, milliseconds, number, rate } from "../lib/format.js";
import { age, lastOf, on } from "../lib/gateway.js";
import { sentenceNode } from "../lib/sentence.js";
import { language, listed, say } from "../lib/words.js";
import { knownAlert } from "./alerts.js";

const at = (id) => document.getElementById(id);
const REASONS = 3;
const SIGNS = { ok: "✓", warn: "!", stop: "✕", unknown: "…" };

function showLevel(level, headline) {
  document.body.dataset.level = level;
  document.title = `${SIGNS[level]} ${headline} · Millwatch`;
  setText(at("state"), say(`level.${level}`));
  setText(at("headline"), headline.replaceAll("-", "\u2011")); // a name is not broken at its hyphen
  at("headline").classList.toggle("long", headline.length > 40);
}

function headline(line) {
  const reason = `verdict.${line.reason}`;
  return line.names?.length ? say(reason, { names: listed(line.names, line.count) }) : say(reason);
}

// What is wrong, the worst first: conditions nobody has taken care of, then modules with something to say.
function reasons(overview) {
  const open = overview.line.active.filter((each) => each.severity !== "info");
  const unhandled = open.filter((each) => !each.acknowledged);
  const troubled = overview.modules.filter((each) => !["ok", "running"].includes(each.state));
  return [
    ...unhandled.map((each) => make("li", {}, data(each.source), ": ", sentenceNode({ ...each, ...knownAlert(each.alert_id) }))),
    ...troubled.map((each) => make("li", {}, data(each.name), ": ", each.text ? said(each.text) : say(`module.${each.state}`))),
    ...(unhandled.length || troubled.length ? [] : open.map((each) => make("li", {}, data(each.source), ": ", say("alert.handled")))),
  ];
}

// `more`: conditions that hold and are not among those that were told one by one.
function showReasons(nodes, more = 0) {
  const rest = nodes.length - REASONS + more;
  const shown = nodes.slice(0, REASONS);
  if (rest > 0) shown.push(make("li", { textContent: say("list.rest", { count: number(rest) }) }));
  const text = `${language}${shown.map((each) => each.textContent).join("\n")}`;
  if (at("reasons").dataset.text === text) return;
  at("reasons").dataset.text = text;
  at("reasons").replaceChildren(...shown);
}

function showOverview(overview) {
  if (lastOf("connection") !== "live") return;
  showLevel(overview.line.level, headline(overview.line));
  const all = reasons(overview);
  const watching = { modules: overview.modules.length, cameras: overview.cameras.length };
  const { critical, warning, info } = overview.alerts;
  const more = Math.max(0, critical + warning + info - overview.line.active.length);
  showReasons(all.length || !watching.modules ? all : [make("li", { textContent: say("verdict.watching", watching) })], more);
  const received = overview.modules.reduce((sum, module) => sum + (module.rates?.received ?? 0), 0);
  at("figures").replaceChildren(...pairs([
    [say("figure.alert_after"), milliseconds(overview.latency.p50_ms), say("figure.alert_after_title")],
    [say("figure.p99"), milliseconds(overview.latency.p99_ms), say("figure.p99_title")],
    [say("figure.messages"), rate(received), say("figure.messages_title")],
    [say("figure.waiting"), number(overview.queue.depth), say("figure.waiting_title")],
  ]));
  showChips(overview);
}

function showChips(overview) {
  const hub = overview.connected ? "up" : "down";
  const link = ["up", "down", "slow"].includes(overview.queue.link) ? overview.queue.link : "unknown";
  chip("chip-hub", hub, say(`hub.${hub}`));
  chip("chip-link", link, say(`cloud.${link}`));
}

function chip(id, state, text) {
  at(id).dataset.state = state;
  setText(at(id), text);
}

// Silence must never look like 'all right': what stands below is marked as old, with its age.
function showConnection(state) {
  const live = state === "live";
  document.body.classList.toggle("stale", !live && state !== "connecting");
  if (live) {
    const overview = lastOf("overview");
    if (overview) showOverview(overview);
  } else {
    showLevel("unknown", say(`connection.${state}`));
    chip("chip-hub", "unknown", say("hub.unknown"));
    chip("chip-link", "unknown", say("cloud.unknown"));
    tick();
  }
}

function tick() {
  const now = new Date();
  keyed(at("clock"), [0], () => "time", () => make("time", { dateTime: now.toISOString(), textContent: clock(now), title: now.toISOString() }));
  const state = lastOf("connection");
  if (state === "live") return;
  const seconds = age();
  showReasons([make("li", { textContent: seconds === null ? say("connection.never") : say("connection.old", { age: duration(Math.round(seconds)) }) })]);
}

export function startVerdict() {
  on("connection", showConnection);
  on("overview", showOverview);
  on("tick", tick);
}
