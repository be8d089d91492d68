// The mask that is sent is the mask that was drawn.
import assert from "node:assert/strict";
import { test } from "node:test";

import { inPictureOrder } from "./js/mask.js";

test("rows and columns of each slice are reversed, slices stay in order", () => {
  const drawing = Uint8Array.from([1, 0, 0, 0, 0, 0, /* next slice */ 0, 1, 0, 0, 0, 0]);
  assert.deepEqual([...inPictureOrder(drawing, 6)], [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0]);
});

test("whatever the pen's value was, lesion is 1", () => {
  assert.deepEqual([...inPictureOrder(Uint8Array.from([0, 3, 255]), 3)], [1, 1, 0]);
});

test("twice gives the drawing again, and the drawing itself is not changed", () => {
  const drawing = Uint8Array.from({ length: 60 }, (_, place) => (place * 7) % 3 === 0);
  const before = [...drawing];
  assert.deepEqual([...inPictureOrder(inPictureOrder(drawing, 20), 20)], before);
  assert.deepEqual([...drawing], before);
});
