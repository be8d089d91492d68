// Connected regions: lesions that a click removes or keeps, and what grows from a click.

// The places of all voxels that are joined to a seed through voxel faces, as long as inside(place) says so.
// box: [[x, y, z], [x, y, z]], first and last, or the whole mask.
export function regionOf(mask, seed, inside, box = wholeBox(mask)) {
  const { width, height, size } = mask;
  const [[left, front, low], [right, back, high]] = box;
  const start = placeOf(mask, seed);
  if (!inside(start)) return new Int32Array(0);
  const seen = new Uint8Array((high - low + 1) * size);
  const offset = low * size;
  let found = new Int32Array(1024);
  let count = 0;
  const take = (place) => {
    if (seen[place - offset] || !inside(place)) return;
    seen[place - offset] = 1;
    if (count === found.length) {
      const longer = new Int32Array(2 * count);
      longer.set(found);
      found = longer;
    }
    found[count++] = place;
  };
  take(start);
  // What was found is the queue as well.
  for (let next = 0; next < count; next++) {
    const place = found[next];
    const x = place % width;
    const y = Math.floor(place / width) % height;
    const z = Math.floor(place / size);
    if (x > left) take(place - 1);
    if (x < right) take(place + 1);
    if (y > front) take(place - width);
    if (y < back) take(place + width);
    if (z > low) take(place - size);
    if (z < high) take(place + size);
  }
  return found.subarray(0, count);
}

export function wholeBox({ width, height, count }) {
  return [[0, 0, 0], [width - 1, height - 1, count - 1]];
}

// The voxels that are at most so many away from one, along x, y, z.
export function boxAround({ width, height, count }, [x, y, z], [wide, high, deep]) {
  const first = [x - wide, y - high, z - deep].map((value) => Math.max(0, value));
  const last = [Math.min(width - 1, x + wide), Math.min(height - 1, y + high), Math.min(count - 1, z + deep)];
  return [first, last];
}

export function placeOf({ width, size }, [x, y, z]) {
  return z * size + y * width + x;
}

// The middle of what is marked on a slice, or of the slice.
export function middleOf({ voxels, width, height, size }, z) {
  let [x, y, count] = [0, 0, 0];
  for (let at = 0; at < size; at++) {
    if (!voxels[z * size + at]) continue;
    x += at % width;
    y += Math.floor(at / width);
    count++;
  }
  return count ? [Math.round(x / count), Math.round(y / count), z] : [width >> 1, height >> 1, z];
}

// Gives a label to voxels, and touches their slices before.
export function setLabel(mask, places, label) {
  const slices = new Set();
  for (const place of places) slices.add(Math.floor(place / mask.size));
  for (const z of slices) mask.touch(z, z);
  for (const place of places) mask.voxels[place] = label;
}

// Removes the lesion of a label at a voxel; false where there is none.
export function removeLesion(mask, seed, label = 1) {
  const lesion = lesionAt(mask, seed, label);
  setLabel(mask, lesion, 0);
  return lesion.length > 0;
}

// Removes everything of a label but its lesion at a voxel; false where there is none.
export function keepLesion(mask, seed, label = 1) {
  const lesion = lesionAt(mask, seed, label);
  if (!lesion.length) return false;
  const { voxels, size } = mask;
  for (let place = voxels.indexOf(label); place >= 0; place = voxels.indexOf(label, place)) {
    const z = Math.floor(place / size);
    mask.touch(z, z);
    for (; place < (z + 1) * size; place++) if (voxels[place] === label) voxels[place] = 0;
  }
  for (const place of lesion) voxels[place] = label;
  return true;
}

function lesionAt(mask, seed, label) {
  return regionOf(mask, seed, (place) => mask.voxels[place] === label);
}

// Marks what is joined to a voxel and about as bright: values within a tolerance of it; gives how many voxels that is.
// values: brightness of each voxel; flat: only within the slice of the click.
export function grow(mask, seed, { values, tolerance, flat = false, label = 1 }) {
  const middle = values[placeOf(mask, seed)];
  const [low, high] = [middle - tolerance, middle + tolerance];
  const [first, last] = wholeBox(mask);
  if (flat) first[2] = last[2] = seed[2];
  const found = regionOf(mask, seed, (place) => values[place] >= low && values[place] <= high, [first, last]);
  setLabel(mask, found, label);
  return found.length;
}
