// The alerts: what holds now, and the list of all, filtered and paged.
import { data, keyed, make, setText, when } from "../lib/draw.js";
import { number, quantity } from "../lib/format.js";
import { get, on, part, Refused } from "../lib/gateway.js";
import { sentenceNode } from "../lib/sentence.js";
import { say } from "../lib/words.js";
import { openAlert } from "../dialogs/alert.js";

const at = (id) => document.getElementById(id);
const KEPT = 500;
const PAGE = 50;
const HOLDING = 6;
const ROWS = 8; // at least, where there are so many: fifty defective parts one after the other make a single row
let alerts = [];
let next = null;
let asked = 0;
const wanted = { severity: "", which: "", source: "" };
const fresh = new Set();
const arrived = new Map(); // what the stream brought since the list was asked for: the answer may not have it yet

// Of what holds, the alert behind it: its figures make the sentence. One that is on no loaded page is asked for once.
const behind = new Map();

export function knownAlert(id) {
  const found = alerts.find((each) => each.id === id) ?? behind.get(id);
  if (found) return found;
  behind.set(id, {});
  if (behind.size > KEPT) behind.delete(behind.keys().next().value);
  get(`alerts/${part(id)}`).then((alert) => behind.set(id, alert), () => behind.delete(id));
  return {};
}


const WHICH = {
  open: { acknowledged: false, resolved: false },
  handled: { acknowledged: true },
  resolved: { resolved: true },
};

function belongs(alert) {
  const which = WHICH[wanted.which] ?? {};
  return (!wanted.severity || alert.severity === wanted.severity)
    && alert.source.startsWith(wanted.source)
    && Object.entries(which).every(([name, value]) => Boolean(alert[name]) === value);
}

async function load(cursor = null) {
  const number = ++asked;
  const { severity, source } = wanted;
  if (!cursor) arrived.clear();
  try {
    const page = await get("alerts", { limit: PAGE, severity, source, cursor, ...WHICH[wanted.which] });
    if (number !== asked) return; // another filter was chosen meanwhile
    alerts = cursor ? [...alerts, ...page.alerts] : page.alerts;
    next = page.next;
    for (const alert of cursor ? [] : arrived.values()) take(alert);
    show();
    if (next !== null && alerts.length < KEPT / 2 && grouped(alerts).length < ROWS) load(next);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    setText(at("alerts-said"), say("alerts.failed"));
  }
}

function take(alert) {
  arrived.set(alert.id, alert);
  if (arrived.size > KEPT) arrived.delete(arrived.keys().next().value);
  const known = alerts.findIndex((each) => each.id === alert.id);
  const older = next !== null && alerts.length && alert.number < alerts.at(-1).number; // of a page not loaded
  if (known >= 0) alerts[known] = alert;
  else if (belongs(alert) && !older) {
    if (!alerts.length || alert.number > alerts[0].number) fresh.add(alert.id);
    alerts = [alert, ...alerts].sort((a, b) => b.number - a.number).slice(0, KEPT);
  }
  if (known >= 0 && !belongs(alert)) alerts.splice(known, 1);
  show();
}

let drawing = false;

// A burst of alerts is drawn once; an animation frame would not come while the page is hidden.
function show() {
  if (drawing) return;
  drawing = true;
  setTimeout(draw, 50);
}

function draw() {
  drawing = false;
  keyed(at("alert-list"), grouped(alerts), ([alert]) => alert.id, ([alert, times], before) => row(alert, times, before));
  for (const id of fresh) at("alert-list").querySelector(`[data-key="${CSS.escape(id)}"]`)?.classList.add("new");
  fresh.clear();
  setText(at("alerts-said"), alerts.length ? "" : say(filtered() ? "alerts.none_such" : "alerts.none"));
  setText(at("alerts-count"), number(alerts.length) + (next ? "+" : ""));
  at("alerts-older").hidden = next === null;
}

const filtered = () => Object.values(wanted).some(Boolean);

// The same thing again and again (a defective part after the other) is one row with a count.
function grouped(all) {
  const groups = [];
  for (const alert of all) {
    const last = groups.at(-1);
    const key = [alert.source, alert.rule, alert.severity, alert.state, alert.label, Boolean(alert.resolved)].join("|");
    if (last && last[2] === key && !alert.acknowledged && !alert.verdict) last[1] += 1;
    else groups.push([alert, 1, key]);
  }
  return groups;
}

function row(alert, times, before) {
  const handled = [alert.resolved && "resolved", alert.acknowledged && "acknowledged"].find(Boolean);
  const stamp = JSON.stringify([alert, times, document.documentElement.lang]);
  if (before?.dataset.stamp === stamp) return before;
  const item = before ?? make("li");
  item.className = "alert";
  Object.assign(item.dataset, { stamp, severity: alert.severity, state: alert.state });
  const tags = [say(`severity.${alert.severity}`), say(`state.${alert.state}`)];
  const value = typeof alert.value === "number" && alert.unit ? quantity(alert.value, alert.unit).join(" ") : "";
  const opener = item.querySelector("button") ?? make("button", { type: "button", className: "open" });
  opener.onclick = () => openAlert(alert);
  opener.replaceChildren(data(alert.source));
  item.replaceChildren(
    make("span", { className: "bar", ariaHidden: "true" }),
    when(alert.sampled),
    make("div", { className: "what" },
      make("h3", {}, opener),
      make("span", { className: "tag" }, tags.join(" · "), value ? " · " : "", value ? data(value) : "", times > 1 ? ` · × ${number(times)}` : ""),
      sentenceNode(alert, "p")),
    make("span", { className: "handled" }, ...(handled ? [say(`alert.${handled}_by`), " ", data(alert[handled].who)] : []),
      ...(alert.verdict ? [make("span", { className: "tag", textContent: say(`judged.${alert.verdict.verdict}`) })] : [])),
  );
  return item;
}

// What holds right now, the worst first: this is what a person acts on.
function showHolding(overview) {
  const conditions = overview.line.active.filter((each) => !each.item && each.severity !== "info").slice(0, HOLDING);
  at("holding-part").hidden = !conditions.length;
  keyed(at("holding"), conditions, (each) => `${each.module}|${each.source}|${each.rule}`, holding);
}

function holding(condition, before) {
  const alert = { ...condition, ...knownAlert(condition.alert_id), acknowledged: condition.acknowledged };
  const stamp = JSON.stringify([alert, document.documentElement.lang]);
  if (before?.dataset.stamp === stamp) return before;
  const item = before ?? make("li");
  item.className = `alert${condition.acknowledged ? " acknowledged" : ""}`;
  Object.assign(item.dataset, { stamp, severity: condition.severity, state: condition.state });
  const act = item.querySelector("button") ?? make("button", { type: "button" });
  act.textContent = say(condition.acknowledged ? "alert.look" : "alert.take_care");
  act.ariaLabel = `${act.textContent}: ${condition.source}`;
  act.onclick = () => openAlert({ ...alert, id: condition.alert_id });
  item.replaceChildren(
    make("span", { className: "bar", ariaHidden: "true" }),
    when(new Date(condition.since * 1000)),
    make("div", { className: "what" }, make("h3", {}, data(condition.source)),
      make("span", { className: "tag", textContent: [say(`severity.${condition.severity}`), say(condition.acknowledged ? "alert.handled" : "alert.holds")].join(" · ") }),
      sentenceNode(alert, "p")),
    act,
  );
  return item;
}

export function startAlerts() {
  on("overview", showHolding);
  on("alert", take);
  on("reset", () => load());
  at("alerts-older").addEventListener("click", () => load(next));
  at("alert-source").addEventListener("input", (event) => choose("source", event.target.value.trim()));
  at("alert-which").addEventListener("change", (event) => choose("which", event.target.value));
  at("alert-severity").addEventListener("change", (event) => choose("severity", event.target.value));
}

function choose(name, value) {
  wanted[name] = value;
  load();
}

export const drawAlerts = draw;
