// The page: words first, then the cards, then the stream that feeds them.
import { startAlarms } from "./cards/alarms.js";
import { drawAlerts, startAlerts } from "./cards/alerts.js";
import { startCameras } from "./cards/cameras.js";
import { startCloud } from "./cards/cloud.js";
import { startModules } from "./cards/modules.js";
import { startSensors, tellSensors } from "./cards/sensors.js";
import { startVerdict } from "./cards/verdict.js";
import { startToken } from "./dialogs/token.js";
import { make } from "./lib/draw.js";
import { again, listen } from "./lib/gateway.js";
import { forget, keep, kept } from "./lib/kept.js";
import { language, languages, loadWords } from "./lib/words.js";

const at = (id) => document.getElementById(id);

function startLanguage() {
  at("language").replaceChildren(...Object.entries(languages).map(([code, name]) =>
    make("option", { value: code, lang: code, textContent: name, selected: code === language })));
  at("language").addEventListener("change", async (event) => {
    await loadWords(event.target.value);
    again();
    drawAlerts();
    tellSensors();
  });
}

function startTheme() {
  at("theme").value = kept("theme") ?? "";
  at("theme").addEventListener("change", (event) => {
    if (event.target.value) keep("theme", event.target.value);
    else forget("theme");
    document.dispatchEvent(new Event("millwatch-theme"));
  });
}

await loadWords();
startLanguage();
startTheme();
startToken();
startVerdict();
startCameras();
startAlerts();
startSensors();
startCloud();
startModules();
startAlarms();
listen();
