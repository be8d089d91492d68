// A round brush: everything within half its size of a line from one voxel to the next.

// The axes of a plane of the picture, as places in [x, y, z]: two within it, and the one across it.
export const PLANE_AXES = [
  [0, 1, 2], // axial
  [0, 2, 1], // coronal
  [1, 2, 0], // sagittal
];

// How long a voxel is along x, y, z, in units of its shorter side within a slice; spacing: [slice, row, column] in mm.
export function voxelSides(spacing) {
  if (!spacing) return [1, 1, 1];
  const [slice, row, column] = spacing;
  const unit = Math.min(row, column);
  return [column / unit, row / unit, slice / unit];
}

// Paints on a Mask from one voxel to another of the same plane; gives the first and last slice that it reached, or null.
// plane: of PLANE_AXES; size: diameter in voxels; depth: neighbouring planes on each side, in which the brush gets
// smaller like a ball; sides: see voxelSides; accepts(place): whether a voxel may change.
export function paint(mask, { from, to, plane = 0, size, depth = 0, sides = [1, 1, 1], label, accepts = null }) {
  const [across, down, through] = PLANE_AXES[plane];
  const shape = [mask.width, mask.height, mask.count];
  const step = [1, mask.width, mask.size];
  let reached = null;
  for (let offset = -depth; offset <= depth; offset++) {
    const layer = to[through] + offset;
    if (layer < 0 || layer >= shape[through]) continue;
    // A quarter more than whole voxels: round, where a half would leave single voxels on four sides.
    const radius = (Math.max(0, size - 1) / 2) * Math.sqrt(1 - (offset / (depth + 1)) ** 2) + 0.25;
    const first = (axis) => Math.max(0, Math.ceil(Math.min(from[axis], to[axis]) - radius / sides[axis]));
    const last = (axis) => Math.min(shape[axis] - 1, Math.floor(Math.max(from[axis], to[axis]) + radius / sides[axis]));
    const low = [first(across), first(down)];
    const high = [last(across), last(down)];
    if (low[0] > high[0] || low[1] > high[1]) continue;
    const rows = plane === 0 ? [low[1], high[1]] : plane === 1 ? [layer, layer] : [low[0], high[0]];
    const slices = plane === 0 ? [layer, layer] : [low[1], high[1]];
    mask.touch(...slices, ...rows);
    reached = reached ? [Math.min(reached[0], slices[0]), Math.max(reached[1], slices[1])] : slices;
    const near = nearLine(from, to, [across, down], sides, radius);
    for (let v = low[1]; v <= high[1]; v++) {
      for (let u = low[0]; u <= high[0]; u++) {
        if (!near(u, v)) continue;
        const place = u * step[across] + v * step[down] + layer * step[through];
        if (!accepts || accepts(place)) mask.voxels[place] = label;
      }
    }
  }
  return reached;
}

// Whether (u, v) lies within a distance of the line between two voxels.
function nearLine(from, to, [across, down], sides, radius) {
  const [startX, startY] = [from[across] * sides[across], from[down] * sides[down]];
  const [lineX, lineY] = [to[across] * sides[across] - startX, to[down] * sides[down] - startY];
  const square = lineX * lineX + lineY * lineY;
  return (u, v) => {
    const [x, y] = [u * sides[across] - startX, v * sides[down] - startY];
    const along = square ? Math.max(0, Math.min(1, (x * lineX + y * lineY) / square)) : 0;
    return (x - along * lineX) ** 2 + (y - along * lineY) ** 2 <= radius * radius;
  };
}
