// Lengths, angles and the middle of a lesion.
import assert from "node:assert/strict";
import { test } from "node:test";

import { angleOf, lengthOf } from "./js/voxels/measure.js";
import { middleOf } from "./js/voxels/regions.js";

test("a length is in millimetres along each axis, and in pixels where the spacing is unknown", () => {
  assert.deepEqual(lengthOf([[0, 0, 0], [3, 4, 0]], null), { value: 5, unit: "pixels" });
  // spacing is that of slice, row and column; points are x (column), y (row), z (slice)
  assert.deepEqual(lengthOf([[0, 0, 0], [2, 0, 0]], [5, 3, 0.5]), { value: 1, unit: "mm" });
  assert.deepEqual(lengthOf([[0, 0, 0], [0, 2, 0]], [5, 3, 0.5]), { value: 6, unit: "mm" });
  assert.deepEqual(lengthOf([[0, 0, 0], [0, 0, 2]], [5, 3, 0.5]), { value: 10, unit: "mm" });
});

test("an angle is that between the lines as they are, not as voxels show them", () => {
  assert.ok(Math.abs(angleOf([[1, 0, 0], [0, 0, 0], [0, 1, 0]], null) - 90) < 1e-9);
  assert.ok(Math.abs(angleOf([[1, 0, 0], [0, 0, 0], [1, 1, 0]], [1, 1, 1]) - 45) < 1e-9);
  assert.ok(Math.abs(angleOf([[1, 0, 0], [0, 0, 0], [1, 1, 0]], [1, Math.sqrt(3), 1]) - 60) < 1e-9);
  assert.equal(angleOf([[1, 1, 1], [1, 1, 1], [0, 0, 0]], null), 0);
});

test("the middle is that of what is marked", () => {
  const mask = { voxels: new Uint8Array(2 * 6 * 10), width: 10, height: 6, size: 60, count: 2 };
  assert.deepEqual(middleOf(mask, 1), [5, 3, 1]);
  for (const place of [60 + 12, 60 + 13, 60 + 14]) mask.voxels[place] = 1;
  assert.deepEqual(middleOf(mask, 1), [3, 1, 1]);
});
