// The gateway's REST interface and its stream of events, as the cards use them.
const ROOT = "/api/v1";
const SILENT_MS = 5000; // an overview comes every second: after five something is wrong
const AGAIN_MS = 2000;

export class Refused extends Error {
  constructor(status, title, detail = "") {
    super(detail || title);
    this.status = status;
  }
}

async function ask(path, options = {}) {
  let answer;
  try {
    answer = await fetch(`${ROOT}/${path}`, { cache: "no-store", ...options });
  } catch {
    throw new Refused(0, "no connection");
  }
  if (answer.ok) return answer.status === 204 ? null : answer.json();
  const problem = await answer.json().catch(() => ({})); // an answer in between (a proxy's) may be no JSON
  throw new Refused(answer.status, problem.title ?? "", problem.detail ?? "");
}

export function get(path, query = {}) {
  const given = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return ask(given.length ? `${path}?${new URLSearchParams(given)}` : path);
}

export function send(path, body, method = "POST") {
  return ask(path, { method, headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
}

// One path segment: names hold slashes.
export const part = (name) => encodeURIComponent(name);
// Sensors are addressed by path: their slashes stay.
export const path = (name) => name.split("/").map(part).join("/");
export const picture = (camera, which) => `${ROOT}/cameras/${part(camera)}/${which}`;

const takers = new Map();
const last = new Map();

// Call `take` with each event of that name; `again()` calls it with the last one.
export function on(name, take) {
  takers.set(name, [...(takers.get(name) ?? []), take]);
}

// What stands on the page is drawn again, in another language.
export function again() {
  for (const name of ["connection", "overview", "sensors", "links", "models"]) if (last.has(name)) tell(name, last.get(name));
}

export function tell(name, value) {
  last.set(name, value);
  for (const take of takers.get(name) ?? []) take(value);
}

export const lastOf = (name) => last.get(name) ?? null;

let heard = 0;
let stream = null;
let connection = "";

// live, lost (the connection broke) or silent (it stands and nothing comes); tells `connection`.
function change(state) {
  if (state === connection) return;
  connection = state;
  tell("connection", state);
}

export const age = () => (heard ? (Date.now() - heard) / 1000 : null);

function open() {
  stream?.close();
  stream = new EventSource(`${ROOT}/events`);
  let listening = false;
  for (const name of ["overview", "alert", "link", "sensors", "reset"]) {
    stream.addEventListener(name, (event) => {
      heard = Date.now();
      change("live");
      // Lists are asked for once the stream stands: what happens meanwhile it brings.
      if (!listening) tell("reset", {});
      listening = true;
      tell(name, JSON.parse(event.data));
    });
  }
  stream.addEventListener("error", () => {
    change("lost");
    // The browser tries again by itself unless it was refused (a token is needed, too many listen).
    if (stream.readyState === EventSource.CLOSED) setTimeout(comeBack, AGAIN_MS);
  });
}

async function comeBack() {
  try {
    const session = await get("session");
    if (session.role === "none" && !session.near) return tell("token needed", "read");
  } catch {
    return setTimeout(comeBack, AGAIN_MS);
  }
  return open();
}

export function listen() {
  change("connecting");
  open();
  setInterval(() => {
    if (heard && connection === "live" && Date.now() - heard > SILENT_MS) change("silent");
    tell("tick", age());
  }, 1000);
}

export const listenAgain = comeBack;
