// Smooths outlines: a voxel becomes what most voxels around it in its slice are.
import { regionOf } from "./regions.js";

const AROUND = [];
for (let y = -2; y <= 2; y++) for (let x = -2; x <= 2; x++) if (x * x + y * y <= 5) AROUND.push([x, y]);

// Smooths all slices with a lesion, or those that are given. A shape that is too small to have a majority stays.
export function smooth(mask, slices = null) {
  const { voxels, size, width, height, count } = mask;
  for (const z of slices ?? Array(count).keys()) {
    const before = voxels.slice(z * size, (z + 1) * size);
    if (!before.some(Boolean)) continue;
    mask.touch(z, z);
    const after = smoothed(before, width, height);
    voxels.set(after, z * size);
    keepSmall(mask, z, before);
  }
}

function smoothed(labels, width, height) {
  const after = new Uint8Array(labels.length);
  const [left, right, top, bottom] = extent(labels, width);
  for (let y = Math.max(0, top - 2); y <= Math.min(height - 1, bottom + 2); y++) {
    for (let x = Math.max(0, left - 2); x <= Math.min(width - 1, right + 2); x++) {
      let marked = 0;
      let label = 0;
      for (const [aside, back] of AROUND) {
        // Beyond the border it goes on as it is at the border.
        const column = Math.max(0, Math.min(width - 1, x + aside));
        const row = Math.max(0, Math.min(height - 1, y + back));
        const found = labels[row * width + column];
        if (!found) continue;
        marked++;
        label ||= found;
      }
      const at = y * width + x;
      if (2 * marked > AROUND.length) after[at] = labels[at] || label;
    }
  }
  return after;
}

// First and last column and row with a label.
function extent(labels, width) {
  const found = [Infinity, 0, Infinity, 0];
  labels.forEach((label, at) => {
    if (!label) return;
    const [x, y] = [at % width, Math.floor(at / width)];
    found[0] = Math.min(found[0], x);
    found[1] = Math.max(found[1], x);
    found[2] = Math.min(found[2], y);
    found[3] = y;
  });
  return found;
}

function keepSmall(mask, z, before) {
  const { voxels, size, width, height } = mask;
  const known = new Uint8Array(size);
  const flat = { ...mask, voxels: before, count: 1 };
  for (let at = 0; at < size; at++) {
    if (!before[at] || known[at]) continue;
    const shape = regionOf(flat, [at % width, Math.floor(at / width), 0], (place) => before[place] !== 0, [[0, 0, 0], [width - 1, height - 1, 0]]);
    for (const place of shape) known[place] = 1;
    if (!shape.some((place) => voxels[z * size + place])) for (const place of shape) voxels[z * size + place] = before[place];
  }
}
