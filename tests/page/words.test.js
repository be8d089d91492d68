// Both languages say the same things, with the same blanks to fill.
import assert from "node:assert/strict";
import { test } from "node:test";

import { WORDS } from "./js/words.js";

const blanks = (text) => (text.match(/\{\w+\}/g) || []).sort();

test("every word is there in both languages", () => {
  assert.deepEqual(Object.keys(WORDS.zh).sort(), Object.keys(WORDS.en).sort());
});

test("both have the same blanks", () => {
  for (const [key, text] of Object.entries(WORDS.en)) assert.deepEqual(blanks(WORDS.zh[key]), blanks(text), key);
});
