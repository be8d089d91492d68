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
  const after = labels.slice();
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let marked = 0;
      let label = 0;
      for (const [right, back] of AROUND) {
        // Beyond the border it goes on as it is at the border.
        const column = Math.max(0, Math.min(width - 1, x + right));
        const row = Math.max(0, Math.min(height - 1, y + back));
        const found = labels[row * width + column];
        if (!found) continue;
        marked++;
        label ||= found;
      }
      const at = y * width + x;
      after[at] = 2 * marked > AROUND.length ? labels[at] || label : 0;
    }
  }
  return after;
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
