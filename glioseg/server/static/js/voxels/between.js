// Fills between drawn slices: shapes on two slices become one body, by the signed distance to their outlines
// (Raya and Udupa 1990, doi 10.1109/42.52980).
import { regionOf } from "./regions.js";

const FAR = 1e20;
export const MOST_SLICES = 12; // what is further apart is another lesion

// Fills the gaps of every shape of a label on slices that were drawn on, over other labels; gives the slices that were
// filled.
// drawn(z): whether a person has changed that slice.
export function fillBetween(mask, drawn, label = 1) {
  const filled = new Set();
  for (let z = 0; z + 2 < mask.count; z++) {
    for (const shape of shapesOn(mask, z, label)) {
      const other = nextAcrossGap(mask, shape, z, label);
      if (!other || !(drawn(z) || drawn(other.z))) continue;
      for (const between of interpolate(mask, shape, z, other.shape, other.z, label)) filled.add(between);
    }
  }
  return [...filled].sort((one, two) => one - two);
}

// The shapes of a label on a slice, each as its places.
function shapesOn(mask, z, label) {
  const shapes = [];
  const { voxels, size, width, height } = mask;
  const known = new Uint8Array(size);
  for (let at = 0; at < size; at++) {
    if (voxels[z * size + at] !== label || known[at]) continue;
    const flat = [[0, 0, z], [width - 1, height - 1, z]];
    const shape = regionOf(mask, [at % width, Math.floor(at / width), z], (place) => voxels[place] === label, flat);
    for (const place of shape) known[place - z * size] = 1;
    shapes.push(shape);
  }
  return shapes;
}

// The shapes on the next slice that meet this one from above or below, where at least one slice lies between.
function nextAcrossGap(mask, shape, z, label) {
  const { voxels, size, count } = mask;
  for (let next = z + 1; next < count && next <= z + MOST_SLICES; next++) {
    const ahead = (next - z) * size;
    if (!shape.some((place) => voxels[place + ahead] === label)) continue;
    if (next === z + 1) return null;
    const meeting = shapesOn(mask, next, label).filter((other) => {
      const own = new Set(other);
      return shape.some((place) => own.has(place + ahead));
    });
    return { z: next, shape: Int32Array.from(meeting.flatMap((each) => [...each])) };
  }
  return null;
}

function interpolate(mask, one, low, other, high, label) {
  const { voxels, size, width } = mask;
  const [first, last] = boxOf([one, other], size, width);
  const wide = last[0] - first[0] + 1;
  const tall = last[1] - first[1] + 1;
  const inBox = (places, z) => {
    const inside = new Uint8Array(wide * tall);
    for (const place of places) {
      const at = place - z * size;
      inside[(Math.floor(at / width) - first[1]) * wide + (at % width) - first[0]] = 1;
    }
    return signedDistance(inside, wide, tall);
  };
  const [from, to] = [inBox(one, low), inBox(other, high)];
  const slices = [];
  for (let z = low + 1; z < high; z++) {
    const share = (z - low) / (high - low);
    mask.touch(z, z, first[1], last[1]);
    slices.push(z);
    for (let at = 0; at < from.length; at++) {
      if ((1 - share) * from[at] + share * to[at] >= 0) continue;
      voxels[z * size + (first[1] + Math.floor(at / wide)) * width + first[0] + (at % wide)] = label;
    }
  }
  return slices;
}

// First and last x and y of places.
function boxOf(shapes, size, width) {
  const first = [Infinity, Infinity];
  const last = [0, 0];
  for (const shape of shapes) {
    for (const place of shape) {
      [place % width, Math.floor((place % size) / width)].forEach((value, axis) => {
        first[axis] = Math.min(first[axis], value);
        last[axis] = Math.max(last[axis], value);
      });
    }
  }
  return [first, last];
}

// Distance of each pixel to the outline, below 0 inside, in pixels.
export function signedDistance(inside, width, height) {
  const outside = distance((at) => inside[at] !== 0, width, height);
  const within = distance((at) => inside[at] === 0, width, height, true);
  return outside.map((square, at) => (inside[at] ? 0.5 - Math.sqrt(within[at]) : Math.sqrt(square) - 0.5));
}

// Squared distance to the nearest pixel that is there (Felzenszwalb and Huttenlocher 2012, doi 10.4086/toc.2012.v008a019).
// edge: pixels beyond the border count as there.
function distance(there, width, height, edge = false) {
  const squares = new Float64Array(width * height);
  for (let at = 0; at < squares.length; at++) squares[at] = there(at) ? 0 : FAR;
  for (let x = 0; x < width; x++) along(squares, x, width, height, edge);
  for (let y = 0; y < height; y++) along(squares, y * width, 1, width, edge);
  return squares;
}

// One row or column: the lower envelope of parabolas that stand on its pixels.
function along(squares, start, step, length, edge) {
  const extra = edge ? 1 : 0;
  const heights = Float64Array.from({ length: length + 2 * extra }, (_, at) => {
    const inside = at - extra;
    return inside < 0 || inside >= length ? 0 : squares[start + inside * step];
  });
  const roots = [0];
  const bounds = [-Infinity];
  for (let at = 1; at < heights.length; at++) {
    let cut;
    do {
      const root = roots[roots.length - 1];
      cut = (heights[at] + at * at - heights[root] - root * root) / (2 * at - 2 * root);
    } while (cut <= bounds[bounds.length - 1] && (roots.pop(), bounds.pop(), roots.length));
    roots.push(at);
    bounds.push(roots.length === 1 ? -Infinity : cut);
  }
  let nearest = 0;
  for (let at = 0; at < heights.length; at++) {
    while (nearest + 1 < roots.length && bounds[nearest + 1] < at) nearest++;
    const inside = at - extra;
    if (inside >= 0 && inside < length) squares[start + inside * step] = (at - roots[nearest]) ** 2 + heights[roots[nearest]];
  }
}
