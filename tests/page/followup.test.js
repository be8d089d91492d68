import assert from "node:assert/strict";
import test from "node:test";
import { amount, bounds, likelyPair, percent, verdict } from "./js/followup/words.js";

test("volumes are told in ml with digits that count, and with a sign where they are differences", () => {
  assert.equal(amount(12345, "mm3"), "12.3 ml");
  assert.equal(amount(1234, "mm3", true), "+1.23 ml");
  assert.equal(amount(-1234, "mm3", true), "−1.23 ml");
  assert.equal(amount(809, "voxels"), "809 voxels");
  assert.equal(amount(-27519, "体素", true), "−27,519 体素");
  assert.equal(amount(null, "mm3"), "–");
  assert.equal(bounds({ low: -1000, high: 20000 }, "mm3", true), "−1.00 ml … +20.0 ml");
  assert.equal(bounds({ low: null, high: null }, "mm3"), "–");
  assert.equal(percent(-0.256), "−26 %");
  assert.equal(percent(null), "");
});

test("the sentence says grown or shrunk, and whether that is more than the masks leave open", () => {
  const of = (value, certain) => verdict({ difference: { value }, certain });
  assert.equal(of(0, null), "followup_same");
  assert.equal(of(5, true), "followup_grown_certain");
  assert.equal(of(-5, false), "followup_shrunk_uncertain");
  assert.equal(of(-5, null), "followup_shrunk");
});

test("the two rows whose names begin alike are taken for one patient", () => {
  const rows = ["ann", "sub-01_ses-1", "bob", "sub-01_ses-2"].map((name) => ({ name }));
  assert.deepEqual(likelyPair(rows).map((row) => row.name), ["sub-01_ses-1", "sub-01_ses-2"]);
  assert.equal(likelyPair(rows.slice(0, 1)), null);
});
