// Asks the network again at one place: a click says that a voxel is wrong, and what belongs to it changes with it.
// What belongs to it says the probability map and how bright the tissue is, each as far as it tells the tissue of the
// click from the tissue around it.
import { boxAround, placeOf, regionOf, setLabel } from "./regions.js";

const REACH = { mm: 35, voxels: 40, slices: 6 };
const NEAR = 6; // voxels: where nothing tells the tissue apart, a small ball changes
// At the end of the reach the evidence has to be so much stronger, out of 0.5: more where the network does not agree.
const CAUTION = { agreed: 0.2, alone: 1 };
const SAMPLES = 20_000; // voxels that are looked at for a median

// Marks the lesion at a voxel that is unmarked, or unmarks the tissue at one that is marked. own: the label that is meant;
// what has another one is not marked with it, and becomes marked.
// values: brightness a voxel (FLAIR); probability: 0 to 255 a voxel, or null; threshold: of lesion, 0 to 1; spacing: [slice, row,
// column] in mm, or null.
// Gives {label, count}: what the voxels became, and how many of them.
export function askAgain(mask, seed, { values, probability, threshold = 0.5, spacing = null, own = 1 }) {
  const label = mask.voxels[placeOf(mask, seed)] === own ? 0 : own;
  const reach = reachOf(spacing);
  const box = boxAround(mask, seed, reach);
  const features = [(place) => values[place], ...(probability ? [(place) => LOG_ODDS[probability[place]]] : [])];
  const others = label ? unmarkedTissue(mask, box, values, own) : markedTissue(mask, own);
  const tests = features.map((feature) => contrast(mask, seed, feature, others)).filter(Boolean);
  const agreed = (place) => !probability || probability[place] >= 255 * threshold === (label !== 0);
  const score = scores(mask, box, { seed, reach, tests, agreed });
  const belongs = (place) => (mask.voxels[place] === own) !== (label === own) && score(place) > 0;
  const found = regionOf(mask, seed, belongs, box);
  const places = found.length ? [...found, ...holesOf(mask, found, box)] : [placeOf(mask, seed)];
  setLabel(mask, places, label);
  return { label, count: places.length };
}

// How far it may reach along x, y, z, in voxels.
function reachOf(spacing) {
  if (!spacing) return [REACH.voxels, REACH.voxels, REACH.slices];
  const [slice, row, column] = spacing;
  return [column, row, slice].map((side) => Math.max(1, Math.round(REACH.mm / side)));
}

const LOG_ODDS = Float32Array.from({ length: 256 }, (_, value) => Math.log((value + 0.5) / (255.5 - value)));

// Places of tissue in a box that is not marked: the air around the head says nothing.
function unmarkedTissue(mask, [first, last], values, own) {
  const places = [];
  const all = (last[0] - first[0] + 1) * (last[1] - first[1] + 1) * (last[2] - first[2] + 1);
  const step = Math.max(1, Math.ceil(all / SAMPLES));
  let brightest = 0;
  let number = 0;
  for (let z = first[2]; z <= last[2]; z++) {
    for (let y = first[1]; y <= last[1]; y++) {
      for (let place = placeOf(mask, [first[0], y, z]), end = place + last[0] - first[0]; place <= end; place++) {
        if (number++ % step || mask.voxels[place] === own) continue;
        places.push(place);
        brightest = Math.max(brightest, values[place]);
      }
    }
  }
  return places.filter((place) => values[place] > 0.1 * brightest);
}

function markedTissue({ voxels }, own) {
  const places = [];
  for (let place = 0; place < voxels.length; place++) if (voxels[place] === own) places.push(place);
  const step = Math.max(1, Math.ceil(places.length / SAMPLES));
  return places.filter((_, number) => number % step === 0);
}

// How one feature tells the tissue at the click (1) from the others (0): {at(place), weight}; null if it does not.
function contrast(mask, seed, feature, others) {
  const own = median(patch(mask, seed).map(feature));
  const known = others.map(feature);
  if (!known.length) return null;
  const middle = median(known);
  const spread = 1.5 * median(known.map((value) => Math.abs(value - middle))) + 1e-3 * Math.abs(own - middle) + 1e-9;
  const weight = Math.min(1, Math.abs(own - middle) / spread / 3);
  if (weight < 0.25) return null;
  return { weight, at: (place) => (feature(place) - middle) / (own - middle) };
}

// The voxels of the slice around one, itself among them.
function patch(mask, [x, y, z]) {
  const [first, last] = boxAround(mask, [x, y, z], [1, 1, 0]);
  const places = [];
  for (let row = first[1]; row <= last[1]; row++) for (let column = first[0]; column <= last[0]; column++) places.push(placeOf(mask, [column, row, z]));
  return places;
}

function median(values) {
  const sorted = Float64Array.from(values).sort();
  return sorted[sorted.length >> 1];
}

// Above 0 where a voxel is more like the click than like the others. Averaged over 3 x 3 voxels, so that noise makes
// neither holes nor bridges.
function scores(mask, [first, last], { seed, reach, tests, agreed }) {
  const { width, height, size } = mask;
  const total = tests.reduce((sum, { weight }) => sum + weight, 0);
  const offset = first[2] * size;
  const known = new Float32Array((last[2] - first[2] + 1) * size).fill(NaN);
  const ofOne = (place) => {
    if (Number.isNaN(known[place - offset])) {
      let sum = 0;
      for (const { weight, at } of tests) sum += weight * Math.max(-0.5, Math.min(1.5, at(place)));
      known[place - offset] = sum / total - 0.5;
    }
    return known[place - offset];
  };
  return (place) => {
    const x = place % width;
    const y = Math.floor(place / width) % height;
    const z = Math.floor(place / size);
    const away = Math.hypot((x - seed[0]) / reach[0], (y - seed[1]) / reach[1], (z - seed[2]) / reach[2]);
    if (!total) return NEAR / reach[0] - away;
    let sum = 0;
    let count = 0;
    for (let row = Math.max(first[1], y - 1); row <= Math.min(last[1], y + 1); row++) {
      for (let column = Math.max(first[0], x - 1); column <= Math.min(last[0], x + 1); column++) {
        sum += ofOne(z * size + row * width + column);
        count++;
      }
    }
    return sum / count - away * (agreed(place) ? CAUTION.agreed : CAUTION.alone);
  };
}

// What a region encloses in each slice.
function holesOf(mask, region, [first, last]) {
  const { width, size } = mask;
  const wide = last[0] - first[0] + 3;
  const tall = last[1] - first[1] + 3;
  const bySlice = new Map();
  for (const place of region) {
    const z = Math.floor(place / size);
    if (!bySlice.has(z)) bySlice.set(z, new Uint8Array(wide * tall));
    const at = place - z * size;
    bySlice.get(z)[(Math.floor(at / width) - first[1] + 1) * wide + (at % width) - first[0] + 1] = 1;
  }
  const holes = [];
  for (const [z, inside] of bySlice) {
    const flat = { width: wide, height: tall, size: wide * tall, count: 1 };
    for (const at of regionOf(flat, [0, 0, 0], (place) => !inside[place])) inside[at] = 2;
    inside.forEach((value, at) => {
      if (value) return;
      holes.push(z * size + (first[1] + Math.floor(at / wide) - 1) * width + first[0] + (at % wide) - 1);
    });
  }
  return holes;
}
