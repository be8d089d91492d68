// Small charts as SVG: curves over epochs, and bars by patient.
import { number } from "./page.js";

const SVG = "http://www.w3.org/2000/svg";

function shape(tag, attributes, text) {
  const made = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  if (text != null) made.textContent = text;
  return made;
}

function frame(width, height, title) {
  const svg = shape("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": title });
  return svg;
}

// values: numbers or null, one an epoch.
export function curve(title, epochs, values, [low, high] = []) {
  const [width, height, left, bottom] = [360, 190, 44, 24];
  const known = values.filter((value) => value != null);
  if (!known.length) return null;
  const from = low ?? Math.min(...known);
  const to = Math.max(high ?? Math.max(...known), from + 1e-6);
  const x = (index) => left + ((width - left - 8) * index) / Math.max(1, values.length - 1);
  const y = (value) => 8 + (height - bottom - 8) * (1 - (value - from) / (to - from));
  const svg = frame(width, height, `${title}: ${number(known[0])} → ${number(known.at(-1))}`);
  for (const share of [0, 0.5, 1]) {
    const value = from + share * (to - from);
    svg.append(shape("line", { class: "grid", x1: left, x2: width - 8, y1: y(value), y2: y(value) }));
    svg.append(shape("text", { x: left - 5, y: y(value) + 4, "text-anchor": "end" }, number(value, 2)));
  }
  const points = values.map((value, index) => (value == null ? null : `${x(index)},${y(value)}`)).filter(Boolean);
  svg.append(shape("polyline", { class: "line", points: points.join(" ") }));
  if (points.length === 1) svg.append(shape("circle", { class: "bar-own", cx: x(0), cy: y(known[0]), r: 3 }));
  svg.append(shape("text", { x: left, y: height - 6 }, epochs[0] ?? ""));
  svg.append(shape("text", { x: width - 8, y: height - 6, "text-anchor": "end" }, epochs.at(-1) ?? ""));
  return svg;
}

// Bars sorted by value, the mean in red, the median in green, as the original program's plot. On narrow screens names
// stand above their bars.
export function bars(title, entries, { mean, median, narrow = false }) {
  const sorted = [...entries].filter(([, value]) => value != null).sort((a, b) => b[1] - a[1]);
  const [width, row, left, above] = narrow ? [330, 34, 4, 15] : [560, 20, 180, 0];
  const [right, height] = [width - 48, sorted.length * row + 26];
  const x = (value) => left + (right - left) * value;
  const svg = frame(width, height, `${title}: ${sorted.map(([name, value]) => `${name} ${number(value)}`).join(", ")}`);
  for (let tenth = 0; tenth <= 10; tenth += 2) {
    svg.append(shape("line", { class: "grid", x1: x(tenth / 10), x2: x(tenth / 10), y1: 0, y2: height - 22 }));
    svg.append(shape("text", { x: x(tenth / 10), y: height - 8, "text-anchor": "middle" }, tenth / 10));
  }
  sorted.forEach(([name, value], index) => {
    const top = index * row + above;
    const beside = narrow ? { x: left, y: top - 3 } : { x: left - 6, y: top + 14, "text-anchor": "end" };
    svg.append(shape("rect", { class: "bar-own", x: left, y: top + 3, width: Math.max(1, x(value) - left), height: 13 }));
    svg.append(shape("text", beside, name));
    svg.append(shape("text", { x: width - 6, y: top + 14, "text-anchor": "end" }, number(value)));
  });
  for (const [name, value] of [["mean", mean], ["median", median]]) {
    if (value != null) svg.append(shape("line", { class: name, x1: x(value), x2: x(value), y1: 0, y2: height - 22 }));
  }
  return svg;
}
