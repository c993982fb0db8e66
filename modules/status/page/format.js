// Figures as people read them. Times are shown as this device's local time; the gateway keeps UTC.
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const day = new Intl.DateTimeFormat(undefined, { day: "2-digit", month: "2-digit", hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

export const none = "–";

export function timeOf(text) {
  const time = new Date(text);
  return Date.now() - time > 12 * 3600e3 ? day.format(time) : clock.format(time);
}

export function now() {
  return clock.format(new Date());
}

export function bytes(count) {
  if (count === null || count === undefined) return none;
  const units = ["B", "kB", "MB", "GB", "TB"];
  let step = 0;
  while (Math.abs(count) >= 1000 && step < units.length - 1) {
    count /= 1000;
    step += 1;
  }
  return `${count >= 100 || step === 0 ? Math.round(count) : count.toFixed(1)} ${units[step]}`;
}

export function duration(seconds) {
  if (seconds === null || seconds === undefined) return none;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.round(seconds / 60)} min`;
  if (seconds < 48 * 3600) return `${(seconds / 3600).toFixed(1)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

export function milliseconds(value) {
  if (value === null || value === undefined) return none;
  if (value >= 10_000) return duration(value / 1000);
  return value >= 100 ? `${Math.round(value)} ms` : `${value.toFixed(1)} ms`;
}

export function count(value) {
  if (value === null || value === undefined) return none;
  return value >= 100 || Number.isInteger(value) ? Math.round(value).toLocaleString() : value.toFixed(1);
}

const SHOWN_UNITS = { Cel: "°C", "m/s2": "m/s²", "m/s": "mm/s", "1/min": "rpm", "%RH": "% rH", Pa: "bar" };
const SCALES = { "m/s": 1000, Pa: 1e-5 };

// SI comes in; what stands on the machine's plate goes out.
export function quantity(value, unit) {
  if (typeof value !== "number") return [none, ""];
  const scaled = value * (SCALES[unit] ?? 1);
  const digits = Math.abs(scaled) >= 100 ? 0 : Math.abs(scaled) >= 10 ? 1 : 2;
  return [scaled.toFixed(digits), SHOWN_UNITS[unit] ?? unit ?? ""];
}
