// What the page says, in the reader's language. A further language is a further catalogue in words/ and a line in its index.json.
import { keep, kept } from "./kept.js";

const AT = "/page/words";
let texts = {};
let plurals = new Intl.PluralRules("en");
let lists = new Intl.ListFormat("en");

export let language = "en";
export let languages = {};

async function read(name) {
  const answer = await fetch(`${AT}/${name}.json`);
  if (!answer.ok) throw new Error(`${name}.json: ${answer.status}`);
  return answer.json();
}

// The one the person chose, else the browser's first that there is a catalogue for, else English.
function wanted() {
  const asked = [kept("language"), ...navigator.languages].filter(Boolean);
  return asked.map((each) => each.toLowerCase().split("-")[0]).find((each) => each in languages) ?? "en";
}

export async function loadWords(chosen = null) {
  if (!Object.keys(languages).length) languages = await read("index");
  if (chosen) keep("language", chosen);
  const next = chosen ?? wanted();
  texts = await read(next);
  language = next;
  plurals = new Intl.PluralRules(next);
  lists = new Intl.ListFormat(next);
  document.documentElement.lang = next;
  fill(document);
}

// The text under `key`, its {names} filled; where it has plural forms, `count` chooses.
export function say(key, values = {}) {
  const found = texts[key];
  const text = typeof found === "object" ? found[plurals.select(values.count)] ?? found.other : found;
  return text === undefined ? key : text.replace(/\{(\w+)\}/g, (whole, name) => values[name] ?? whole);
}

// The same, or `otherwise` where no catalogue has it: for names that modules make up.
export function sayOr(key, otherwise, values = {}) {
  return key in texts ? say(key, values) : otherwise;
}

export function knows(key) {
  return key in texts;
}

// The first `most` of `count` names.
export function listed(names, count = names.length, most = 2) {
  const rest = count - most;
  return rest > 0 ? say("list.more", { names: lists.format(names.slice(0, most)), count: rest }) : lists.format(names);
}

const PLACES = { word: "textContent", wordLabel: "ariaLabel", wordTitle: "title", wordPlaceholder: "placeholder" };

// Everything under `root` that names its text: data-word, data-word-label, data-word-title, data-word-placeholder.
export function fill(root) {
  for (const element of root.querySelectorAll("[data-word], [data-word-label], [data-word-title], [data-word-placeholder]")) {
    for (const [name, property] of Object.entries(PLACES)) {
      if (element.dataset[name]) element[property] = say(element.dataset[name]);
    }
  }
}
