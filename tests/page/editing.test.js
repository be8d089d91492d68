// Tools that change a mask: each does what it says, within what it says, and one step takes it back.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Mask } from "./js/mask.js";
import { askAgain } from "./js/voxels/ask.js";
import { fillBetween, signedDistance } from "./js/voxels/between.js";
import { paint, voxelSides } from "./js/voxels/brush.js";
import { grow, keepLesion, placeOf, removeLesion } from "./js/voxels/regions.js";
import { smooth } from "./js/voxels/smooth.js";
import { moveThreshold, thresholdOf } from "./js/voxels/threshold.js";

const SHAPE = [9, 40, 50];
const empty = () => new Mask(new Uint8Array(9 * 40 * 50), SHAPE);
const count = (voxels) => voxels.reduce((sum, label) => sum + (label !== 0), 0);
const onSlice = ({ voxels, size }, z) => count(voxels.subarray(z * size, (z + 1) * size));

function random(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

// A ball, in one slice or in several.
function ball(mask, [x, y, z], radius, deep = 0) {
  for (let slice = z - deep; slice <= z + deep; slice++) {
    for (let row = 0; row < mask.height; row++) {
      for (let column = 0; column < mask.width; column++) {
        const off = ((slice - z) / (deep + 1)) ** 2 + ((row - y) ** 2 + (column - x) ** 2) / radius ** 2;
        if (off <= 1) mask.voxels[placeOf(mask, [column, row, slice])] = 1;
      }
    }
  }
}

// What a tool does is one step, and that step leads back and forth exactly.
function onestep(mask, change) {
  const before = mask.voxels.slice();
  const result = change(mask);
  const after = mask.voxels.slice();
  const step = mask.commit("tool");
  if (!step) {
    assert.deepEqual(after, before, "a change that no slice was touched for");
    return result;
  }
  mask.apply(step, true);
  assert.deepEqual(mask.voxels, before);
  mask.apply(step);
  assert.deepEqual(mask.voxels, after);
  return result;
}

test("the brush is round, as large as it says, and paints lines without gaps", () => {
  for (const size of [1, 3, 7, 15]) {
    const mask = empty();
    onestep(mask, () => paint(mask, { from: [20, 20, 4], to: [20, 20, 4], size, label: 1 }));
    const columns = [...Array(50).keys()].filter((x) => mask.voxels[placeOf(mask, [x, 20, 4])]);
    assert.equal(columns.length, size);
    assert.equal(onSlice(mask, 4), count(mask.voxels));
    const round = (Math.PI * size * size) / 4;
    assert.ok(size < 4 || Math.abs(count(mask.voxels) / round - 1) < 0.15);
  }
  const mask = empty();
  paint(mask, { from: [5, 5, 4], to: [45, 30, 4], size: 3, label: 1 });
  for (let x = 5; x <= 45; x++) assert.ok(mask.voxels[placeOf(mask, [x, Math.round(5 + ((x - 5) * 25) / 40), 4])]);
});

test("it is round in millimetres, paints in every plane, and beyond the border paints nothing", () => {
  const mask = empty();
  const sides = voxelSides([5, 1, 2]);
  assert.deepEqual(sides, [2, 1, 5]);
  paint(mask, { from: [20, 20, 4], to: [20, 20, 4], size: 11, sides, label: 1 });
  const wide = [...Array(50).keys()].filter((x) => mask.voxels[placeOf(mask, [x, 20, 4])]).length;
  assert.ok(wide >= 5 && wide <= 6);
  mask.commit();
  for (const plane of [0, 1, 2]) {
    const other = empty();
    onestep(other, () => paint(other, { from: [3, 3, 3], to: [9, 9, 3], plane, size: 5, label: 1 }));
    assert.ok(count(other.voxels) > 20);
  }
  assert.equal(onestep(mask, () => paint(mask, { from: [20, 90, 4], to: [30, 95, 4], size: 5, label: 1 })), null);
  assert.equal(paint(mask, { from: [0, 0, 20], to: [0, 0, 20], size: 5, label: 1 }), null);
});

test("over neighbouring slices it gets smaller, and erases as it paints", () => {
  const mask = empty();
  onestep(mask, () => paint(mask, { from: [20, 20, 4], to: [30, 20, 4], size: 11, depth: 2, label: 1 }));
  const slices = [...Array(9).keys()].map((z) => onSlice(mask, z));
  assert.deepEqual(slices.map(Boolean), [false, false, true, true, true, true, true, false, false]);
  assert.ok(slices[2] < slices[3] && slices[3] < slices[4] && slices[3] === slices[5]);
  onestep(mask, () => paint(mask, { from: [20, 20, 4], to: [30, 20, 4], size: 11, depth: 2, label: 0 }));
  assert.equal(count(mask.voxels), 0);
});

test("a threshold brush leaves what is darker as it is", () => {
  const mask = empty();
  onestep(mask, () => paint(mask, { from: [20, 20, 4], to: [20, 20, 4], size: 11, label: 1, accepts: (place) => place % 50 >= 20 }));
  assert.ok(count(mask.voxels) > 20);
  assert.ok(mask.voxels.every((label, place) => !label || place % 50 >= 20));
});

test("what a click keeps and what it removes are the two parts of the mask", () => {
  for (let seed = 1; seed <= 20; seed++) {
    const next = random(seed);
    const mask = empty();
    for (let number = 0; number < 6; number++) ball(mask, [next(50), next(40), next(9)], 2 + next(7), next(2));
    const inside = [...mask.voxels.keys()].filter((place) => mask.voxels[place]);
    const place = inside[next(inside.length)];
    const at = [place % 50, Math.floor(place / 50) % 40, Math.floor(place / 2000)];
    const [kept, removed] = [keepLesion, removeLesion].map((change) => {
      const other = new Mask(mask.voxels.slice(), SHAPE);
      assert.equal(onestep(other, () => change(other, at)), true);
      return other.voxels;
    });
    assert.ok(kept[place] && !removed[place]);
    mask.voxels.forEach((label, each) => assert.equal(kept[each] + removed[each], label));
  }
  const mask = empty();
  assert.equal(onestep(mask, () => removeLesion(mask, [1, 1, 1])), false);
  assert.equal(onestep(mask, () => keepLesion(mask, [1, 1, 1])), false);
});

test("growing marks what is joined and as bright, on one slice or on all", () => {
  const bright = empty();
  ball(bright, [20, 20, 4], 8, 2);
  ball(bright, [42, 8, 4], 4);
  const values = Float32Array.from(bright.voxels, (label, place) => (label ? 200 : 100) + (place % 5));
  for (const flat of [false, true]) {
    const mask = empty();
    const grown = onestep(mask, () => grow(mask, [20, 20, 4], { values, tolerance: 10, flat }));
    assert.equal(grown, count(mask.voxels));
    assert.equal(onSlice(mask, 4), onSlice(bright, 4) - 49);
    assert.equal(onSlice(mask, 5), flat ? 0 : onSlice(bright, 5));
  }
});

test("distances to an outline are those one would measure", () => {
  const next = random(3);
  for (let round = 0; round < 10; round++) {
    const [width, height] = [5 + next(9), 5 + next(9)];
    const inside = Uint8Array.from({ length: width * height }, () => next(3) === 0);
    inside[next(inside.length)] = 1;
    const found = signedDistance(inside, width, height);
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        let nearest = inside[y * width + x] ? Math.min(x + 1, y + 1, width - x, height - y) : Infinity;
        for (let v = 0; v < height; v++) {
          for (let u = 0; u < width; u++) if (inside[v * width + u] !== inside[y * width + x]) nearest = Math.min(nearest, Math.hypot(u - x, v - y));
        }
        const expected = inside[y * width + x] ? 0.5 - nearest : nearest - 0.5;
        assert.ok(Math.abs(found[y * width + x] - expected) < 1e-6);
      }
    }
  }
});

test("what is filled lies between what was drawn, and what was drawn stays", () => {
  const mask = empty();
  ball(mask, [20, 20, 1], 5);
  ball(mask, [24, 20, 4], 9);
  ball(mask, [22, 22, 8], 3);
  const drawn = mask.voxels.slice();
  assert.deepEqual(onestep(mask, () => fillBetween(mask, () => true)), [2, 3, 5, 6, 7]);
  const areas = [...Array(9).keys()].map((z) => onSlice(mask, z));
  assert.equal(areas[0], 0);
  assert.ok(areas[1] < areas[2] && areas[2] < areas[3] && areas[3] < areas[4]);
  assert.ok(areas[4] > areas[5] && areas[5] > areas[6] && areas[6] > areas[7] && areas[7] > areas[8]);
  drawn.forEach((label, place) => label && assert.equal(mask.voxels[place], 1));
  for (let z of [2, 3]) {
    for (let at = 0; at < mask.size; at++) {
      const [low, here, high] = [mask.size, z * mask.size, 4 * mask.size].map((start) => mask.voxels[start + at]);
      if (low && high) assert.equal(here, 1);
      if (!low && !high) assert.equal(here, 0);
    }
  }
  assert.deepEqual(fillBetween(mask, () => true), [], "there is nothing left to fill");
});

test("two lesions are filled each by itself, and nothing is filled where nobody drew", () => {
  const mask = empty();
  for (const z of [2, 3, 4, 5, 6]) ball(mask, [10, 10, z], 4); // whole already
  ball(mask, [35, 25, 2], 6);
  ball(mask, [36, 25, 6], 6);
  const whole = mask.voxels.slice();
  assert.deepEqual(fillBetween(mask, () => false), []);
  assert.deepEqual(mask.voxels, whole);
  assert.deepEqual(fillBetween(mask, (z) => z === 6), [3, 4, 5]);
  for (const z of [3, 4, 5]) assert.ok(onSlice(mask, z) > 49 + 90);
});

test("smoothing takes off corners and closes pores, and leaves small lesions and round ones", () => {
  const mask = empty();
  ball(mask, [20, 20, 4], 10);
  const round = onSlice(mask, 4);
  for (const at of [[20, 20, 4], [20, 8, 4]]) mask.voxels[placeOf(mask, at)] ^= 1; // a pore, a speck
  mask.voxels[placeOf(mask, [45, 35, 6])] = 1; // a lesion of one voxel
  onestep(mask, () => smooth(mask));
  assert.ok(mask.voxels[placeOf(mask, [20, 20, 4])]);
  assert.ok(mask.voxels[placeOf(mask, [45, 35, 6])]);
  assert.ok(Math.abs(onSlice(mask, 4) / round - 1) < 0.03);
});

test("a threshold that moves changes what lies between, and a threshold that comes back changes nothing", () => {
  const next = random(5);
  const probability = Uint8Array.from({ length: 9 * 2000 }, () => next(256));
  const mask = empty();
  mask.voxels.set(probability.map((value) => (value >= 128 ? 1 : 0)));
  const network = mask.voxels.slice();
  ball(mask, [20, 20, 4], 5); // by hand
  const byHand = mask.voxels.slice();
  onestep(mask, () => moveThreshold(mask, probability, 0.5, 0.3));
  probability.forEach((value, place) => assert.equal(mask.voxels[place], value >= 77 || byHand[place] ? 1 : 0));
  onestep(mask, () => moveThreshold(mask, probability, 0.3, 0.8));
  probability.forEach((value, place) => assert.equal(mask.voxels[place], value >= 204 || (byHand[place] && value < 77) ? 1 : 0));
  mask.voxels.set(network);
  moveThreshold(mask, probability, 0.5, 0.5);
  assert.deepEqual(mask.voxels, network);
});

test("the threshold is that of the last step that moved it, until one goes back to the network's mask", () => {
  const steps = [{ kind: "stroke" }, { kind: "threshold", threshold: 0.3 }, { kind: "stroke" }, { kind: "network" }];
  const at = [0, 1, 2, 3, 4].map((position) => thresholdOf({ steps, position }, 0.5));
  assert.deepEqual(at, [0.5, 0.5, 0.3, 0.3, 0.5]);
});

// A head with a bright lesion that the network saw dimly, and a marked place that is as dark as the rest.
function head() {
  const lesion = empty();
  ball(lesion, [18, 20, 4], 8, 2);
  const wrong = empty();
  ball(wrong, [40, 12, 4], 4, 1);
  const next = random(9);
  const values = Float32Array.from(lesion.voxels, (label) => (label ? 180 : 100) + next(21) - 10);
  const probability = Uint8Array.from(lesion.voxels, (label, place) => (label ? 60 : wrong.voxels[place] ? 150 : 2));
  return { lesion, wrong, values, probability };
}

const overlap = (one, other) => (2 * count(one.map((label, place) => label && other[place]))) / (count(one) + count(other));

test("asked again where a lesion was missed, the mask has it there, and nowhere else", () => {
  const { lesion, values, probability } = head();
  for (const map of [probability, null]) {
    const mask = empty();
    const { label } = onestep(mask, () => askAgain(mask, [18, 20, 4], { values, probability: map }));
    assert.equal(label, 1);
    assert.ok(overlap(mask.voxels, lesion.voxels) > 0.85, `${overlap(mask.voxels, lesion.voxels)}`);
  }
});

test("asked again where healthy tissue is marked, the mark goes, and the lesion stays", () => {
  const { lesion, wrong, values, probability } = head();
  const mask = empty();
  mask.voxels.set(lesion.voxels.map((label, place) => label | wrong.voxels[place]));
  const { label } = onestep(mask, () => askAgain(mask, [40, 12, 4], { values, probability }));
  assert.equal(label, 0);
  assert.ok(overlap(mask.voxels, lesion.voxels) > 0.98, `${overlap(mask.voxels, lesion.voxels)}`);
});

test("asked again where nothing tells the tissue apart, a little changes around the click", () => {
  const mask = empty();
  const values = new Float32Array(mask.voxels.length).fill(100);
  onestep(mask, () => askAgain(mask, [20, 20, 4], { values, probability: new Uint8Array(mask.voxels.length) }));
  assert.ok(mask.voxels[placeOf(mask, [20, 20, 4])]);
  assert.ok(count(mask.voxels) > 20 && count(mask.voxels) < 700);
});
