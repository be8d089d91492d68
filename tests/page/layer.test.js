import assert from "node:assert/strict";
import test from "node:test";
import { Layer, UNITS } from "./js/voxels/layer.js";

const HEADER = 352;

// A file of 16-bit voxels that are 0, 1, 2, ...
function file(size, sides) {
  const count = size[0] * size[1] * size[2];
  const buffer = new ArrayBuffer(HEADER + 2 * count);
  const view = new DataView(buffer);
  view.setInt16(70, 4, true);
  size.forEach((length, axis) => {
    view.setInt16(42 + 2 * axis, length, true);
    view.setFloat32(80 + 4 * axis, sides[axis], true);
  });
  new Int16Array(buffer, HEADER).forEach((_, at, voxels) => (voxels[at] = at));
  return buffer;
}

function geometry(buffer) {
  const view = new DataView(buffer);
  const read = (from, step, kind) => [0, 1, 2].map((axis) => view[`get${kind}`](from + step * axis, true));
  return { size: read(42, 2, "Int16"), sides: read(80, 4, "Float32"), scales: read(280, 20, "Float32"), origin: read(292, 16, "Float32") };
}

test("a reduced layer has the extent of the layer, and voxels of it in units of its window", () => {
  const layer = new Layer(file([8, 4, 2], [1, 2, 5]), { low: 10, high: 20 });
  assert.deepEqual(layer.size, [8, 4, 2]);
  assert.equal(layer.img[9], 9);
  const reduced = layer.reduced(16);
  const { size, sides, scales, origin } = geometry(reduced);
  assert.deepEqual(size, [2, 4, 2]);
  assert.deepEqual(sides, [4, 2, 5]);
  assert.deepEqual(scales, sides);
  assert.deepEqual(origin, [1.5, 0, 0], "the middle of four voxels of 1 mm");
  const values = new Int16Array(reduced, HEADER);
  const expected = [2, 6, 10, 14].map((value) => Math.max(-UNITS, ((value - 10) / 10) * UNITS));
  assert.deepEqual([...values.slice(0, 4)], expected);
});

test("a layer that is small enough stays whole, and a box has its extent alone", () => {
  const layer = new Layer(file([3, 3, 2], [1, 1, 3]), { low: 0, high: 1 });
  assert.deepEqual(geometry(layer.reduced(1000)).size, [3, 3, 2]);
  const { size, sides, origin } = geometry(layer.box());
  assert.deepEqual(size, [2, 2, 2]);
  assert.deepEqual(sides, [1.5, 1.5, 3]);
  assert.deepEqual(origin, [0.25, 0.25, 0]);
  assert.equal(layer.fromUnits(layer.toUnits(0.3)), 0.3);
});
