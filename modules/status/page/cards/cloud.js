// Towards the cloud: what waits, what was confirmed, how long an outage may last, and when the links went up and down.
import { data, empty, keyed, make, pairs, setText, when } from "../lib/draw.js";
import { shape, spark } from "../lib/chart.js";
import { ago, bytes, duration, none, number, rate } from "../lib/format.js";
import { get, lastOf, on, Refused, tell } from "../lib/gateway.js";
import { say, sayOr } from "../lib/words.js";

const at = (id) => document.getElementById(id);
const LEAST_S = 600;
const MOST_S = 24 * 3600;
const LISTED = 6;
let links = [];
let changed = false; // since they were asked for

const confirmedAgo = (queue) => (queue.confirmed_at ? (Date.now() - new Date(queue.confirmed_at)) / 1000 : null);

function showQueue(overview) {
  const queue = overview.queue;
  if (!queue.known) {
    at("queue").replaceChildren(empty(say("queue.unknown")));
    return;
  }
  at("queue").replaceChildren(
    make("dl", { className: "pair" }, ...pairs([
      [say("queue.confirmed"), ago(confirmedAgo(queue)), queue.confirmed_at ?? ""],
      [say("queue.hours_left"), typeof queue.hours_left === "number" ? duration(queue.hours_left * 3600) : none, say("queue.hours_left_title")],
      [say("queue.depth"), number(queue.depth)],
      [say("queue.drain"), typeof queue.drain_bytes_per_s === "number" ? `${bytes(queue.drain_bytes_per_s)}/s` : none],
    ])),
    trend(queue.trend ?? []),
    waiting(queue.priorities ?? []),
    make("p", { className: "note" }, queue.paused ? `${say("queue.paused")} ` : "", ...lost(queue.dropped ?? {})),
  );
}

function trend(depths) {
  const label = say("queue.trend", { most: number(Math.max(0, ...depths)) });
  return make("figure", {}, spark(depths, { label }), make("figcaption", { className: "soft", ariaHidden: "true", textContent: label }));
}

// Alerts leave before all else: what waits, and for how long, differs by priority.
function waiting(priorities) {
  if (!priorities.length) return "";
  const head = ["queue.kind", "queue.messages", "queue.bytes", "queue.oldest"];
  return make("table", { className: "waiting" },
    make("thead", {}, make("tr", {}, ...head.map((key, place) => make("th", { scope: "col", className: place ? "number" : "", textContent: say(key) })))),
    make("tbody", {}, ...priorities.map((each) => make("tr", {},
      make("th", { scope: "row", textContent: sayOr(`priority.${each.priority}`, String(each.priority)) }),
      ...[number(each.depth), bytes(each.bytes), each.depth ? duration(each.oldest_s) : none]
        .map((text) => make("td", { className: "number" }, data(text)))))));
}

function lost(dropped) {
  const reasons = Object.entries(dropped).filter(([, count]) => count);
  if (!reasons.length) return [say("queue.nothing_lost")];
  return reasons.flatMap(([reason, count]) => [say("queue.lost", { count: number(count), reason: sayOr(`drop.${reason}`, reason) }), " "]);
}

async function loadLinks() {
  changed = false;
  try {
    const found = (await get("links", { limit: 200 })).links;
    if (changed) loadLinks(); // while it was on its way
    else tell("links", found);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    setText(at("links-said"), say("links.failed"));
  }
}

function takeLink(link) {
  changed = true;
  const known = links.findIndex((each) => each.number === link.number);
  const rest = known >= 0 ? links.toSpliced(known, 1) : links;
  // The one before of the same link ended when this one began.
  tell("links", [link, ...rest.map((each) => (each.link === link.link && !each.until && each.number < link.number ? { ...each, until: link.since } : each))]
    .sort((a, b) => b.number - a.number));
}

function showLinks(all) {
  links = all;
  // A day, or as much as is known.
  const known = links.length ? (Date.now() - new Date(links.at(-1).since)) / 1000 : 0;
  const span = Math.min(MOST_S, Math.max(LEAST_S, known));
  const since = Date.now() - span * 1000;
  setText(at("links-title"), say("links.title", { span: duration(span) }));
  const names = [...new Set(links.map((each) => each.link))].sort();
  at("timeline").replaceChildren(...names.map((name) => strip(name, since)),
    ...(links.length ? [make("p", { className: "soft" }, when(since), make("span", { textContent: say("links.now") }))] : []));
  setText(at("links-said"), links.length ? "" : say("links.none"));
  keyed(at("link-list"), links.slice(0, LISTED), (each) => each.number, entry);
}

function strip(name, since) {
  const total = Date.now() - since;
  const x = (time) => Math.max(0, ((time - since) / total) * 1000);
  const mine = links.filter((each) => each.link === name);
  const svg = shape("svg", { class: "strip", viewBox: "0 0 1000 20", preserveAspectRatio: "none", role: "img", "aria-label": say("links.strip", { link: sayOr(`link.${name}`, name), span: duration(total / 1000) }) });
  for (const each of mine) {
    const [from, to] = [x(new Date(each.since)), x(each.until ? new Date(each.until) : Date.now())];
    if (to <= 0) continue;
    svg.append(shape("rect", { class: `link-${each.state}`, x: from.toFixed(1), y: 0, width: Math.max(3, to - from).toFixed(1), height: 20 }));
  }
  const downs = mine.filter((each) => each.state === "down" && (!each.until || new Date(each.until) > since)).length;
  return make("div", { className: "link" }, make("p", {}, make("span", { textContent: sayOr(`link.${name}`, name) }),
    make("span", { className: "soft", textContent: say("links.downs", { count: downs }) })), svg);
}

function entry(link, before) {
  const item = before ?? make("li");
  const lasts = link.until ? duration((new Date(link.until) - new Date(link.since)) / 1000) : say("links.lasts");
  item.dataset.state = link.state;
  item.replaceChildren(when(link.since), " ", make("span", { textContent: `${sayOr(`link.${link.link}`, link.link)}: ${say(`link_state.${link.state}`)}` }),
    " ", data(lasts, { className: "soft" }));
  return item;
}

// Between two overviews the age goes on.
function tick() {
  const overview = lastOf("overview");
  if (overview && lastOf("connection") !== "live") showQueue(overview);
}

export function startCloud() {
  on("overview", showQueue);
  on("link", takeLink);
  on("links", showLinks);
  on("reset", loadLinks);
  on("tick", tick);
}
