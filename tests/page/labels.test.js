// Masks with several labels: each tool changes the label that is drawn with, and leaves the others.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Mask } from "./js/mask.js";
import { askAgain } from "./js/voxels/ask.js";
import { fillBetween } from "./js/voxels/between.js";
import { coloursOf, translation } from "./js/voxels/labels.js";
import { grow, keepLesion, placeOf, removeLesion } from "./js/voxels/regions.js";
import { smooth } from "./js/voxels/smooth.js";

const SHAPE = [9, 30, 40];
const empty = () => new Mask(new Uint8Array(9 * 30 * 40), SHAPE);
const of = (mask, label) => mask.voxels.map((value) => (value === label ? 1 : 0));
const count = (voxels) => voxels.reduce((sum, value) => sum + value, 0);

function disc(mask, [x, y, z], radius, label) {
  for (let row = 0; row < mask.height; row++) {
    for (let column = 0; column < mask.width; column++) {
      if (Math.hypot(row - y, column - x) <= radius) mask.voxels[placeOf(mask, [column, row, z])] = label;
    }
  }
}

// An oedema (1) with a core (3) on slices 2 and 6, and another oedema.
function ring(slices = [2, 6]) {
  const mask = empty();
  for (const z of slices) {
    disc(mask, [15, 15, z], 10, 1);
    disc(mask, [15, 15, z], 4, 3);
  }
  disc(mask, [34, 8, 2], 3, 1);
  return mask;
}

test("what is filled between slices has the label that is drawn with, over others; a ring leaves what is in it", () => {
  const mask = ring();
  const [oedema, core] = [1, 3].map((label) => count(of(mask, label)));
  const filled = (label) => fillBetween(mask, () => true, label);
  assert.deepEqual(filled(3), [3, 4, 5]);
  assert.equal(count(of(mask, 1)), oedema);
  assert.equal(count(of(mask, 3)), core + (3 * core) / 2);
  const cores = of(mask, 3);
  assert.deepEqual(filled(1), [3, 4, 5]);
  assert.deepEqual(of(mask, 3), cores);
  for (const z of [3, 4, 5]) {
    assert.equal(mask.voxels[placeOf(mask, [15, 15, z])], 3);
    assert.equal(mask.voxels[placeOf(mask, [15, 23, z])], 1);
  }
  // a core that was taken for oedema
  const missed = ring();
  for (const z of [3, 4, 5]) disc(missed, [15, 15, z], 10, 1);
  fillBetween(missed, () => true, 3);
  assert.deepEqual(of(missed, 3), cores);
});

test("a click removes and keeps lesions of its label alone", () => {
  const at = [15, 8, 2];
  const before = ring([2]);
  for (const [change, left] of [[removeLesion, [34, 8, 2]], [keepLesion, at]]) {
    const mask = ring([2]);
    assert.equal(change(mask, at, 3), false, "there is another label");
    assert.equal(change(mask, at, 1), true);
    assert.deepEqual(of(mask, 3), of(before, 3));
    assert.equal(mask.voxels[placeOf(mask, left)], 1);
    assert.equal(count(of(mask, 1)) < count(of(before, 1)), true);
  }
});

test("growing and asking again give the label that is drawn with", () => {
  const mask = ring([2]);
  const values = Float32Array.from(mask.voxels, (label) => 100 + 50 * label);
  const core = count(of(mask, 3));
  assert.equal(grow(mask, [15, 15, 2], { values, tolerance: 10, flat: true, label: 2 }), core);
  assert.equal(count(of(mask, 2)), core);
  // asked again for 3 in what is marked 2: it becomes 3; once more, and it is unmarked
  const steps = [3, 0].map((label) => {
    const found = askAgain(mask, [15, 15, 2], { values, probability: null, own: 3 });
    assert.equal(found.label, label);
    return mask.voxels[placeOf(mask, [15, 15, 2])];
  });
  assert.deepEqual(steps, [3, 0]);
  assert.ok(count(of(mask, 1)) > 0.9 * count(of(ring([2]), 1)));
});

test("smoothing one label leaves no hole where it meets another", () => {
  const mask = empty();
  disc(mask, [15, 15, 4], 10, 1);
  disc(mask, [15, 15, 4], 5, 3);
  const speck = placeOf(mask, [15, 9, 4]); // of the core, that sticks out into the oedema
  mask.voxels[speck] = 3;
  const whole = count(mask.voxels.map(Boolean));
  const around = of(mask, 1);
  smooth(mask, 3);
  assert.equal(mask.voxels[speck], 1);
  assert.equal(count(mask.voxels.map(Boolean)), whole);
  around.forEach((there, place) => there && assert.equal(mask.voxels[place], 1));
});

test("steps over several labels lead back and forth exactly", () => {
  const mask = ring();
  const before = mask.voxels.slice();
  fillBetween(mask, () => true, 1);
  const steps = [mask.commit("fill")];
  removeLesion(mask, [15, 15, 2], 3);
  steps.push(mask.commit("remove"));
  const after = mask.voxels.slice();
  for (const step of [...steps].reverse()) mask.apply(step, true);
  assert.deepEqual(mask.voxels, before);
  for (const step of steps) mask.apply(step);
  assert.deepEqual(mask.voxels, after);
});

const LESION = [{ value: 1, name: "lesion" }];
const CLASSES = [{ value: 1, name: "oedema" }, { value: 3, name: "core" }];

test("each label has a colour of its own, the same in both masks; lesion or not is red and green", () => {
  assert.deepEqual(coloursOf(LESION), { predicted: { 1: "#ff2b2b" }, true: { 1: "#00e34b" } });
  const classes = coloursOf(CLASSES, [...CLASSES, { value: 4, name: "label 4" }]);
  for (const { value } of CLASSES) assert.equal(classes.true[value], classes.predicted[value]);
  const apart = coloursOf(LESION, CLASSES);
  for (const all of [classes.true, { ...apart.true, lesion: apart.predicted[1] }]) {
    assert.equal(new Set(Object.values(all)).size, 3);
  }
});

test("among other labels a label stays what it is called, or becomes the first one", () => {
  assert.equal(translation(CLASSES, CLASSES), null);
  assert.equal(translation(LESION, [...CLASSES, ...LESION]), null);
  const table = translation(CLASSES, [{ value: 2, name: "rim" }, { value: 3, name: "core" }]);
  assert.deepEqual([0, 1, 3].map((value) => table[value]), [0, 2, 3]);
  assert.deepEqual([0, 1, 3].map((value) => translation(CLASSES, LESION)[value]), [0, 1, 1]);
});
