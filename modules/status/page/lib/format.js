// Figures as people read them, in the page's language. Times are this device's local time; UTC stands in datetime and title.
import { language, say } from "./words.js";

export const none = "–";
const made = new Map();

// Intl's formatters are dear to make: each is made once.
function intl(Kind, options) {
  const key = `${Kind.name} ${language} ${JSON.stringify(options)}`;
  if (!made.has(key)) made.set(key, new Kind(language, options));
  return made.get(key);
}

const missing = (value) => typeof value !== "number" || !Number.isFinite(value);
const inUnit = (value, unit, digits) =>
  intl(Intl.NumberFormat, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: digits }).format(value);
const threeDigits = (value) => (Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 2);

export function number(value, digits = null) {
  if (missing(value)) return none;
  const most = digits ?? (Number.isInteger(value) ? 0 : threeDigits(value));
  return intl(Intl.NumberFormat, { maximumFractionDigits: most, minimumFractionDigits: digits ?? 0 }).format(value);
}

export function percent(share, digits = 0) {
  if (missing(share)) return none;
  return intl(Intl.NumberFormat, { style: "percent", maximumFractionDigits: digits }).format(share);
}

export function bytes(count) {
  if (missing(count)) return none;
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  const step = Math.min(units.length - 1, Math.max(0, Math.floor(Math.log10(Math.max(1, Math.abs(count))) / 3)));
  const scaled = count / 1000 ** step;
  if (step === 0) return `${number(count, 0)}\u00a0B`; // Intl spells it out
  return inUnit(scaled, units[step], scaled >= 100 ? 0 : 1);
}

export function duration(seconds) {
  if (missing(seconds)) return none;
  if (seconds < 120) return inUnit(seconds, "second", seconds < 10 && seconds > 0 ? 1 : 0);
  if (seconds < 2 * 3600) return inUnit(Math.round(seconds / 60), "minute", 0);
  if (seconds < 48 * 3600) return inUnit(seconds / 3600, "hour", 1);
  return inUnit(Math.round(seconds / 86400), "day", 0);
}

export function milliseconds(value) {
  if (missing(value)) return none;
  return value >= 10_000 ? duration(value / 1000) : inUnit(value, "millisecond", value >= 100 ? 0 : 1);
}

export function rate(value) {
  return missing(value) ? none : `${number(value, Math.abs(value) >= 100 ? 0 : 1)}/s`;
}

const SHOWN = {
  Cel: ["°C", 1], "m/s2": ["m/s²", 1], "m/s": ["mm/s", 1000], "1/min": ["rpm", 1], "%RH": ["% rH", 1], Pa: ["bar", 1e-5],
};

// SI comes in; what stands on the machine's plate goes out: text and unit.
export function quantity(value, unit) {
  if (missing(value)) return [none, ""];
  const [shown, scale] = SHOWN[unit] ?? [unit ?? "", 1];
  const scaled = value * scale;
  return [number(scaled, threeDigits(scaled)), shown];
}

export const shownUnit = (unit) => (SHOWN[unit] ?? [unit ?? ""])[0];
export const scaleOf = (unit) => (SHOWN[unit] ?? ["", 1])[1];

export function ago(seconds) {
  return missing(seconds) ? none : say("time.ago", { age: duration(Math.max(0, Math.round(seconds))) });
}

const CLOCK = { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" };
const DAY = { day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };

export function clock(time = new Date()) {
  return intl(Intl.DateTimeFormat, CLOCK).format(time);
}

// Of today the time, of another day the day too.
export function timeText(time) {
  return new Date().toDateString() === time.toDateString() ? clock(time) : intl(Intl.DateTimeFormat, DAY).format(time);
}

export function utcText(time) {
  return say("time.utc", { time: time.toISOString().replace("T", " ").replace("Z", "") });
}
