// The outline runs along the edges of voxels, exactly.
import assert from "node:assert/strict";
import { test } from "node:test";

import { outlineEdges } from "./js/outline.js";

// The edges of the one label of a slice.
const edgesOf = (...slice) => [...outlineEdges(...slice).values()].flat();
const sorted = (edges) => edges.map(String).sort();

test("one voxel has four edges", () => {
  const mask = Uint8Array.from([0, 0, 0, 0, 1, 0, 0, 0, 0]);
  assert.deepEqual(sorted(edgesOf(mask, 0, 3, 3)), sorted([[1, 1, 1, 2], [2, 1, 2, 2], [1, 1, 2, 1], [1, 2, 2, 2]]));
});

test("neighbours share no edge", () => {
  const mask = Uint8Array.from([1, 1]);
  assert.equal(edgesOf(mask, 0, 2, 1).length, 6);
});

test("a lesion at the border of the picture is closed", () => {
  const mask = Uint8Array.from({ length: 12 }, () => 1);
  assert.equal(edgesOf(mask, 0, 4, 3).length, 2 * (4 + 3));
});

test("a hole has an outline of its own", () => {
  const mask = Uint8Array.from([1, 1, 1, 1, 0, 1, 1, 1, 1]);
  assert.equal(edgesOf(mask, 0, 3, 3).length, 12 + 4);
});

test("the slice that is asked for is the one that is drawn", () => {
  const mask = Uint8Array.from([0, 0, 0, 0, /* next slice */ 2, 0, 0, 0]);
  assert.deepEqual(edgesOf(mask, 0, 2, 2), []);
  assert.equal(edgesOf(mask, 1, 2, 2).length, 4);
});

test("two labels that meet have both an edge there", () => {
  const mask = Uint8Array.from([1, 1, 3, 3]);
  const edges = outlineEdges(mask, 0, 4, 1);
  assert.deepEqual([...edges.keys()].sort(), [1, 3]);
  for (const each of edges.values()) assert.equal(each.length, 6);
  for (const each of edges.values()) assert.ok(sorted(each).includes("2,0,2,1"));
});
