// The crosshair goes where the arrows point on the screen, and stays within the scan.
import assert from "node:assert/strict";
import { test } from "node:test";

import { STEPS, stepped } from "./js/voxels/steps.js";

const SIZE = [50, 40, 9];

test("arrows lead right, left, up and down on the screen, where x runs to the left and y to the front", () => {
  const from = [20, 10, 4];
  const to = Object.fromEntries(Object.entries(STEPS).map(([key, step]) => [key, stepped(from, step, 1, SIZE)]));
  assert.deepEqual(to, { ArrowLeft: [21, 10, 4], ArrowRight: [19, 10, 4], ArrowUp: [20, 11, 4], ArrowDown: [20, 9, 4] });
});

test("at the border it stays", () => {
  assert.deepEqual(stepped([48, 1, 4], STEPS.ArrowLeft, 4, SIZE), [49, 1, 4]);
  assert.deepEqual(stepped([48, 1, 4], STEPS.ArrowDown, 4, SIZE), [48, 0, 4]);
});
