// The order in which the work list shows patients, and the messages in which files are sent.
import assert from "node:assert/strict";
import { test } from "node:test";
import { batches } from "./js/worklist/add.js";
import { counts, KINDS, present, shown, sorted, SORTS } from "./js/worklist/order.js";

const row = (number, facts) => ({
  number, key: `k${number}`, name: `patient ${number}`, status: "segmented", revision: 1, expected_dice: 0.9,
  lesion_mm3: null, lesion_voxels: 10 * number, slices: 20, flags: [], corrected: false, checked: false, ...facts,
});
const ROWS = [
  row(1, { expected_dice: 0.8 }),
  row(2, { expected_dice: null, flags: ["no_lesion"] }),
  row(3, { status: "waiting", revision: null, expected_dice: null, lesion_voxels: null, slices: null }),
  row(4, { status: "failed", revision: null, expected_dice: null, lesion_voxels: null, slices: null }),
  row(10, { expected_dice: 0.7, status: "checked", checked: true, corrected: true, lesion_mm3: 5 }),
];
const numbers = (rows) => rows.map((each) => each.number);

test("least certain first: what was not found is not certain, what waits comes later, what failed last", () => {
  assert.deepEqual(numbers(sorted([ROWS[3], ROWS[2], ROWS[0], ROWS[1], ROWS[4]])), [2, 10, 1, 3, 4]);
  assert.deepEqual(numbers(sorted(ROWS, { by: "certainty", down: true })), [1, 10, 2, 3, 4]);
});

test("names are sorted as people count, and equal rows stay as they were found", () => {
  assert.deepEqual(numbers(sorted([...ROWS].reverse(), { by: "name" })), [1, 2, 3, 4, 10]);
  const same = [3, 1, 2].map((number) => row(number));
  for (const by of SORTS.filter((each) => !["name", "number", "volume"].includes(each))) {
    assert.deepEqual(numbers(sorted(same, { by, down: true })), [1, 2, 3], by);
  }
});

test("rows are found by a part of the name and by what became of them", () => {
  assert.deepEqual(numbers(shown(ROWS, { text: " PATIENT 1" })), [1, 10]);
  assert.deepEqual(numbers(shown(ROWS, { kind: "unchecked" })), [1, 2]);
  assert.deepEqual(numbers(shown(ROWS, { kind: "corrected" })), [10]);
  assert.deepEqual(counts([...ROWS, row(11, { status: "running" })]), { segmented: 2, waiting: 2, checked: 1, failed: 1 });
});

test("what was removed is seen among what was removed, and nowhere else", () => {
  const gone = row(12, { status: "removed", corrected: true });
  for (const kind of KINDS) {
    assert.equal(shown([...ROWS, gone], { kind }).includes(gone), kind === "removed", kind);
  }
  assert.deepEqual(numbers(present([gone, ...ROWS])), numbers(ROWS));
});

test("files go in groups that are small enough, all of them once and in order", () => {
  const files = [4, 4, 4, 20, 1, 1].map((size, number) => ({ number, size }));
  const groups = batches(files, 2, 10);
  assert.deepEqual(groups.map(numbers), [[0, 1], [2], [3], [4, 5]]);
  assert.deepEqual(batches([], 2, 10), []);
});
