// One line of steps: what is taken back can be done again until something new is done.
import assert from "node:assert/strict";
import { test } from "node:test";

import { History, NETWORK } from "./js/history.js";

const stroke = (...zs) => ({ kind: "stroke", slices: zs.map((z) => ({ z, changes: [] })) });

test("at both ends there is nothing to take back or to do again", () => {
  const history = new History();
  assert.deepEqual([history.canUndo, history.canRedo, history.undo(), history.redo()], [false, false, null, null]);
  history.push(stroke(1));
  assert.deepEqual([history.canUndo, history.canRedo, history.redo()], [true, false, null]);
});

test("fifty strokes are all taken back and done again, in order", () => {
  const history = new History();
  const made = Array.from({ length: 50 }, (_, z) => history.push(stroke(z)));
  const back = Array.from({ length: 50 }, () => history.undo());
  assert.deepEqual(back, [...made].reverse());
  assert.equal(history.canUndo, false);
  assert.deepEqual(Array.from({ length: 50 }, () => history.redo()), made);
});

test("something new ends what could be done again", () => {
  const history = new History();
  history.push(stroke(1));
  history.push(stroke(2));
  history.undo();
  history.push(stroke(3));
  assert.equal(history.canRedo, false);
  assert.deepEqual(history.steps.map(({ slices }) => slices[0].z), [1, 3]);
});

test("a state has a name of its own, also after another one took its place", () => {
  const history = new History();
  assert.equal(history.state, NETWORK);
  history.push(stroke(1));
  const first = history.state;
  history.undo();
  assert.equal(history.state, NETWORK);
  history.push(stroke(2));
  assert.notEqual(history.state, first);
  history.push({ ...stroke(2), kind: "network" });
  assert.equal(history.state, NETWORK);
});

test("a history that was kept goes on where it stood, and gives no name twice", () => {
  const history = new History();
  history.push(stroke(1));
  history.push(stroke(2));
  history.undo();
  const { steps, position, last } = structuredClone(history);
  const again = new History({ steps, position, last });
  assert.deepEqual([again.state, again.canRedo], [history.state, true]);
  assert.equal(again.push(stroke(3)).id, 3);
});

test("slices that may differ from the network's mask", () => {
  const history = new History();
  history.push(stroke(4, 5));
  history.push(stroke(5, 6));
  history.push(stroke(9));
  history.undo();
  assert.deepEqual(history.touched().sort(), [4, 5, 6]);
});

test("another network beneath: what was the network's mask is a correction now", () => {
  const history = new History();
  history.push(stroke(1));
  history.push({ ...stroke(1), kind: "network" });
  history.rebase(stroke(7));
  assert.notEqual(history.state, NETWORK);
  assert.deepEqual(history.touched().sort(), [1, 7]);
  while (history.canUndo) history.undo();
  assert.equal(history.state, NETWORK);
});
