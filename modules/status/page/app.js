// The stream from the gateway, and what a person does here.
import { make } from "./draw.js";
import { now } from "./format.js";
import { alertRow, refreshPictures, showCameras, showChips, showFigures, showHolding, showModules, showQueue, showSensors, showVerdict } from "./parts.js";

const at = (id) => document.getElementById(id);
const KEPT = 200;
let alerts = [];
let wanted = "";
let heard = 0;

async function loadAlerts() {
  const query = new URLSearchParams({ limit: KEPT, ...(wanted && { severity: wanted }) });
  const answer = await fetch(`/api/v1/alerts?${query}`);
  if (!answer.ok) return;
  alerts = (await answer.json()).alerts;
  showAlerts();
}

function takeAlert(alert) {
  if (wanted && alert.severity !== wanted) return;
  const known = alerts.findIndex((each) => each.id === alert.id);
  if (known >= 0) alerts[known] = alert;
  else alerts = [alert, ...alerts].slice(0, KEPT);
  showAlerts(known < 0 ? alert.id : null);
}

let drawing = false;
const fresh = new Set();

// A burst of alerts is drawn once.
function showAlerts(newId = null) {
  if (newId) fresh.add(newId);
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    const list = at("alert-list");
    list.replaceChildren(...grouped(alerts).slice(0, 40).map(([alert, times]) => {
      const row = alertRow(alert, times);
      if (fresh.has(alert.id)) row.classList.add("new");
      return row;
    }));
    if (!alerts.length) list.append(make("li", { className: "empty", textContent: "None yet." }));
    fresh.clear();
    at("alerts-count").textContent = alerts.length >= KEPT ? `${KEPT}+` : `${alerts.length}`;
  });
}

// The same thing again and again (a defective part after the other) is one row with a count.
function grouped(all) {
  const groups = [];
  for (const alert of all) {
    const last = groups.at(-1);
    const key = [alert.source, alert.rule, alert.severity, alert.state, alert.label].join("|");
    if (last && last[2] === key && !alert.acknowledged) last[1] += 1;
    else groups.push([alert, 1, key]);
  }
  return groups;
}

const newestOf = (source) => alerts.find((alert) => alert.source === source && alert.state !== "cleared");

function takeOverview(overview) {
  heard = Date.now();
  showVerdict(overview.line);
  showHolding(overview.line.active, openAct);
  showFigures(overview);
  showChips(overview);
  showModules(overview.modules);
  showQueue(overview.queue);
  showCameras(overview.cameras, newestOf);
}

function listen() {
  const stream = new EventSource("/api/v1/events");
  const on = (name, take) => stream.addEventListener(name, (event) => take(JSON.parse(event.data)));
  on("overview", takeOverview);
  on("alert", takeAlert);
  on("sensors", showSensors);
  on("resync", loadAlerts);
}

// Silence must never look like 'all right'.
setInterval(() => {
  at("clock").textContent = now();
  if (heard && Date.now() - heard > 5000) {
    showVerdict({ level: "unknown", headline: "No word from the gateway", details: [`for ${Math.round((Date.now() - heard) / 1000)} s; what stands below is old`] });
  }
}, 1000);
setInterval(() => { if (document.visibilityState === "visible") refreshPictures(); }, 1000);

let about = null;

function openAct(alert) {
  about = alert;
  const form = at("act-form");
  at("act-about").textContent = `${alert.source}: ${alert.text}`;
  at("act-wrong").textContent = "";
  form.who.value = localStorage.getItem("who") ?? "";
  form.token.value = sessionStorage.getItem("token") ?? "";
  at("act").showModal();
}

at("act-cancel").addEventListener("click", () => at("act").close());
at("act-form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const form = at("act-form");
  const answer = await fetch(`/api/v1/alerts/${encodeURIComponent(about.alert_id)}/acknowledge`, {
    method: "POST",
    headers: { "Content-Type": "application/json", Authorization: `Bearer ${form.token.value}` },
    body: JSON.stringify({ who: form.who.value, why: form.why.value }),
  });
  if (!answer.ok) {
    at("act-wrong").textContent = answer.status === 401 ? "This token is not the right one." : `Refused: ${(await answer.json()).title}`;
    return;
  }
  localStorage.setItem("who", form.who.value);
  sessionStorage.setItem("token", form.token.value);
  takeAlert(await answer.json());
  at("act").close();
});

for (const button of document.querySelectorAll("[data-filter]")) {
  button.addEventListener("click", () => {
    wanted = button.dataset.filter;
    for (const each of document.querySelectorAll("[data-filter]")) each.setAttribute("aria-pressed", String(each === button));
    loadAlerts();
  });
}

at("clock").textContent = now();
loadAlerts();
listen();
