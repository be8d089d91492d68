// The mask that is drawn on, its changes, and its run-length code. Voxels are labels, 0 is background, in the order
// of the viewer: slices from below, in each slice rows from the back and columns from the right (RAS+).

// The runs of one slice: [start, length, label] one after the other, starts counted in the slice.
export function runsOf(voxels, start, size) {
  const runs = [];
  const end = start + size;
  for (let place = start; place < end; ) {
    const label = voxels[place];
    let next = place + 1;
    while (next < end && voxels[next] === label) next++;
    if (label) runs.push(place - start, next - place, label);
    place = next;
  }
  return Uint32Array.from(runs);
}

export function fillRuns(voxels, start, size, runs) {
  voxels.fill(0, start, start + size);
  for (let at = 0; at < runs.length; at += 3) {
    voxels.fill(runs[at + 2], start + runs[at], start + runs[at] + runs[at + 1]);
  }
}

// What the API takes for some slices: for each its position, its number of runs and the runs. There rows run from the
// front and columns from the left of the picture, so that a slice is read from its other end.
export function encodeSlices(voxels, size, positions) {
  const words = [];
  for (const position of positions) {
    const runs = runsOf(voxels, position * size, size);
    words.push(position, runs.length / 3);
    for (let at = runs.length - 3; at >= 0; at -= 3) words.push(size - runs[at] - runs[at + 1], runs[at + 1], runs[at + 2]);
  }
  const bytes = new DataView(new ArrayBuffer(4 * words.length));
  words.forEach((word, place) => bytes.setUint32(4 * place, word, true));
  return bytes.buffer;
}

// Where two slices differ: [start, length, label before, label after] one after the other.
export function changesOf(before, after, offset, from, to) {
  const changes = [];
  for (let place = from; place < to; ) {
    const [old, now] = [before[place], after[offset + place]];
    if (old === now) {
      place++;
      continue;
    }
    let next = place + 1;
    while (next < to && before[next] === old && after[offset + next] === now) next++;
    changes.push(place, next - place, old, now);
    place = next;
  }
  return Uint32Array.from(changes);
}

export class Mask {
  // voxels: labels; shape: slices, height, width.
  constructor(voxels, [count, height, width]) {
    Object.assign(this, { voxels, count, height, width, size: height * width });
    this.touched = new Map();
  }

  // Whoever changes voxels says beforehand which slices, and which rows of them.
  touch(first, last, top = 0, bottom = this.height - 1) {
    for (let z = Math.max(0, first); z <= Math.min(this.count - 1, last); z++) {
      const known = this.touched.get(z);
      if (known) {
        known.top = Math.min(known.top, top);
        known.bottom = Math.max(known.bottom, bottom);
      } else this.touched.set(z, { before: this.voxels.slice(z * this.size, (z + 1) * this.size), top, bottom });
    }
  }

  // Everything as it was before it was touched; it stays touched. For what is tried out before it becomes a step.
  revert() {
    for (const [z, { before }] of this.touched) this.voxels.set(before, z * this.size);
  }

  // What changed since the last time, as one step of the history; null when nothing did.
  commit(kind = "stroke") {
    const slices = [];
    for (const [z, { before, top, bottom }] of this.touched) {
      const from = Math.max(0, top) * this.width;
      const to = Math.min(this.height, bottom + 1) * this.width;
      const changes = changesOf(before, this.voxels, z * this.size, from, to);
      if (changes.length) slices.push({ z, changes });
    }
    this.touched.clear();
    return slices.length ? { kind, slices } : null;
  }

  // Do a step again, or take it back; gives the slices that changed.
  apply({ slices }, back = false) {
    for (const { z, changes } of slices) {
      for (let at = 0; at < changes.length; at += 4) {
        const start = z * this.size + changes[at];
        this.voxels.fill(changes[at + (back ? 2 : 3)], start, start + changes[at + 1]);
      }
    }
    return slices.map(({ z }) => z);
  }

  // The code of every slice. A large mask takes a while: the page gets a turn in between.
  async encode(pause = breathe) {
    const coded = [];
    let until = performance.now() + 12;
    for (let z = 0; z < this.count; z++) {
      coded.push(runsOf(this.voxels, z * this.size, this.size));
      if (performance.now() > until) {
        await pause();
        until = performance.now() + 12;
      }
    }
    return coded;
  }
}

export function sameRuns(one, other) {
  return one.length === other.length && one.every((word, at) => word === other[at]);
}

// A turn for whatever else waits: pointer, picture, replies.
export function breathe() {
  return new Promise((resolve) => setTimeout(resolve));
}
