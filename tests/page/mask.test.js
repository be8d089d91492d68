// The mask that is sent is the mask that was drawn, and a step knows exactly what changed.
import assert from "node:assert/strict";
import { test } from "node:test";

import { encodeSlices, fillRuns, Mask, runsOf, sameRuns } from "./js/mask.js";

// Numbers that look random and are the same each time.
function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

const noise = (length, seed, labels = 3) => {
  const next = random(seed);
  return Uint8Array.from({ length }, () => next(labels));
};

test("runs are start, length and label, without background", () => {
  const voxels = Uint8Array.from([9, 9, 0, 1, 1, 2, 0, 0, 3]);
  assert.deepEqual([...runsOf(voxels, 2, 7)], [1, 2, 1, 3, 1, 2, 6, 1, 3]);
});

test("what was coded comes back, whatever stood there", () => {
  for (let seed = 0; seed < 50; seed++) {
    const voxels = noise(40, seed);
    const other = noise(40, seed + 1000);
    fillRuns(other, 10, 20, runsOf(voxels, 10, 20));
    assert.deepEqual(other.slice(10, 30), voxels.slice(10, 30));
    assert.ok(sameRuns(runsOf(other, 10, 20), runsOf(voxels, 10, 20)));
  }
});

test("slices are sent from their other end, with the numbers low byte first", () => {
  const voxels = Uint8Array.from([0, 0, 0, 0, 0, 0, /* slice 1 */ 1, 1, 0, 0, 0, 2]);
  const words = new DataView(encodeSlices(voxels, 6, [1]));
  const read = Array.from({ length: words.byteLength / 4 }, (_, place) => words.getUint32(4 * place, true));
  assert.deepEqual(read, [1, 2, /* last voxel */ 0, 1, 2, /* first two */ 4, 2, 1]);
});

test("a step holds what changed in the rows that were touched, and nothing else", () => {
  const mask = new Mask(new Uint8Array(2 * 4 * 5), [2, 4, 5]);
  mask.touch(1, 1, 2, 2);
  mask.voxels.fill(1, 20 + 11, 20 + 13);
  const step = mask.commit();
  assert.deepEqual(step.slices.map(({ z, changes }) => [z, [...changes]]), [[1, [11, 2, 0, 1]]]);
  assert.equal(mask.commit(), null);
});

test("touching without a change is no step", () => {
  const mask = new Mask(noise(40, 1), [2, 4, 5]);
  mask.touch(-3, 9);
  assert.equal(mask.commit(), null);
});

test("steps are done and taken back voxel by voxel, over several labels", () => {
  const mask = new Mask(noise(3 * 6 * 7, 7), [3, 6, 7]);
  const states = [mask.voxels.slice()];
  const steps = [];
  for (let round = 1; round <= 30; round++) {
    const next = random(round);
    mask.touch(next(3), 2);
    for (const z of mask.touched.keys()) for (let some = 0; some < 9; some++) mask.voxels[z * 42 + next(42)] = next(3);
    const step = mask.commit();
    if (!step) continue;
    steps.push(step);
    states.push(mask.voxels.slice());
  }
  assert.ok(steps.length > 20);
  for (let at = steps.length; at > 0; at--) {
    assert.deepEqual(mask.voxels, states[at]);
    mask.apply(steps[at - 1], true);
  }
  assert.deepEqual(mask.voxels, states[0]);
  steps.forEach((step) => mask.apply(step));
  assert.deepEqual(mask.voxels, states.at(-1));
});

test("a whole mask is coded slice by slice, with pauses", async () => {
  const mask = new Mask(noise(3 * 20, 3), [3, 4, 5]);
  const coded = await mask.encode();
  assert.deepEqual(coded, [0, 1, 2].map((z) => runsOf(mask.voxels, z * 20, 20)));
});
