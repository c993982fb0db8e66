// Who is here: asks for the token when an action needs it. The gateway keeps the session in a cookie no script can read.
import { button, make } from "../lib/draw.js";
import { get, listenAgain, on, Refused, send } from "../lib/gateway.js";
import { keep, kept } from "../lib/kept.js";
import { say } from "../lib/words.js";
import { field, openDialog } from "./dialog.js";

let asking = null;

export const me = () => kept("who") ?? "";
export const iAm = (name) => keep("who", name);

// Resolves to whether somebody logged in.
export function logIn(role = "operate") {
  asking ??= new Promise((resolve) => {
    let done = false;
    const token = make("input", { type: "password", required: true, autocomplete: "off", name: "token" });
    const wrong = make("p", { className: "wrong", role: "alert" });
    const form = make("form", { className: "form" },
      make("p", { textContent: say(`token.why_${role}`) }),
      field(say("token.token"), token),
      make("p", { className: "hint", textContent: say("token.where") }),
      wrong,
      make("div", { className: "buttons" },
        button(say("dialog.cancel"), () => dialog.close()),
        make("button", { type: "submit", className: "primary", textContent: say("token.log_in") })));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      wrong.textContent = "";
      try {
        const session = await send("session", { token: token.value });
        if (role === "operate" && session.role !== "operate") throw new Refused(403, "");
        done = true;
        dialog.close();
      } catch (error) {
        wrong.textContent = inWords(error);
        token.select();
      }
    });
    const dialog = openDialog(say("token.title"), [form], { closed: () => { asking = null; resolve(done); } });
    token.focus();
  });
  return asking;
}

// What a refusal means for the person who clicked.
export function inWords(error) {
  if (!(error instanceof Refused)) throw error;
  const known = [0, 401, 403, 404, 409, 413, 429, 503].includes(error.status);
  return known ? say(`refused.${error.status}`) : say("refused.other", { why: error.message });
}

// An action: logs in first where that is needed, and tries once more.
export async function act(path, body, method = "POST") {
  try {
    return await send(path, body, method);
  } catch (error) {
    if (!(error instanceof Refused) || ![401, 403].includes(error.status)) throw error;
    const session = await get("session").catch(() => null);
    if (session?.role === "operate" || !(await logIn())) throw error;
    return send(path, body, method);
  }
}

export function startToken() {
  on("token needed", async (role) => { if (await logIn(role)) listenAgain(); });
}
