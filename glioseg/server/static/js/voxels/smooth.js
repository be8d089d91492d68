// Smooths the outlines of a label: a voxel becomes what most voxels around it in its slice are.
import { regionOf } from "./regions.js";

const AROUND = [];
for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) if (x * x + y * y <= 5) AROUND.push([x, y]);

// Smooths all slices with a label. A shape that is too small to have a majority stays, and so do voxels of other labels.
export function smooth(mask, label = 1) {
  const { voxels, size, width, height } = mask;
  for (let place = voxels.indexOf(label); place >= 0; ) {
    const z = Math.floor(place / size);
    const before = voxels.slice(z * size, (z + 1) * size);
    mask.touch(z, z);
    voxels.set(smoothed(before, width, height, label), z * size);
    keepSmall(mask, z, before, label);
    place = voxels.indexOf(label, (z + 1) * size);
  }
}

function smoothed(labels, width, height, label) {
  const after = labels.slice();
  const [left, right, top, bottom] = extent(labels, width, label);
  // Beyond the border it goes on as it is at the border.
  const around = (x, y, [aside, back]) =>
    labels[Math.max(0, Math.min(height - 1, y + back)) * width + Math.max(0, Math.min(width - 1, x + aside))];
  for (let y = Math.max(0, top - 2); y <= Math.min(height - 1, bottom + 2); y++) {
    for (let x = Math.max(0, left - 2); x <= Math.min(width - 1, right + 2); x++) {
      const at = y * width + x;
      if (labels[at] && labels[at] !== label) continue;
      let marked = 0;
      for (const step of AROUND) if (around(x, y, step) === label) marked++;
      if (2 * marked > AROUND.length) after[at] = label;
      else if (labels[at]) after[at] = mostOf(AROUND.map((step) => around(x, y, step)), label);
    }
  }
  return after;
}

// The value that is there most often, except one.
function mostOf(values, except) {
  const counts = new Map();
  for (const value of values) if (value !== except) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].reduce((best, each) => (each[1] > best[1] ? each : best))[0];
}

// First and last column and row with a label.
function extent(labels, width, label) {
  const found = [Infinity, 0, Infinity, 0];
  labels.forEach((value, at) => {
    if (value !== label) return;
    const [x, y] = [at % width, Math.floor(at / width)];
    found[0] = Math.min(found[0], x);
    found[1] = Math.max(found[1], x);
    found[2] = Math.min(found[2], y);
    found[3] = y;
  });
  return found;
}

function keepSmall(mask, z, before, label) {
  const { voxels, size, width, height } = mask;
  const known = new Uint8Array(size);
  const flat = { ...mask, voxels: before, count: 1 };
  for (let at = 0; at < size; at++) {
    if (before[at] !== label || known[at]) continue;
    const shape = regionOf(flat, [at % width, Math.floor(at / width), 0], (place) => before[place] === label, [[0, 0, 0], [width - 1, height - 1, 0]]);
    for (const place of shape) known[place] = 1;
    if (!shape.some((place) => voxels[z * size + place] === label)) for (const place of shape) voxels[z * size + place] = label;
  }
}
