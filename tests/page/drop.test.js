// A dropped folder gives all files in it, with their paths.
import assert from "node:assert/strict";
import { test } from "node:test";

import { walk } from "./js/drop.js";

const file = (path) => ({ isFile: true, fullPath: path, file: (resolve) => resolve({ name: path.split("/").at(-1) }) });

// Browsers give the entries of a folder in portions, and none at the end.
function folder(path, entries, portion = 100) {
  return {
    isFile: false,
    fullPath: path,
    createReader() {
      let at = 0;
      return { readEntries: (resolve) => resolve(entries.slice(at, (at += portion))) };
    },
  };
}

test("folders are walked, and each file keeps its path", async () => {
  const patient = folder("/p", [file("/p/p_1.tif"), folder("/p/masks", [file("/p/masks/p_1_mask.tif")])]);
  assert.deepEqual((await walk(patient)).map((each) => each.path), ["p/p_1.tif", "p/masks/p_1_mask.tif"]);
});

test("every portion of a large folder is read", async () => {
  const slices = Array.from({ length: 250 }, (_, number) => file(`/p/p_${number}.tif`));
  assert.equal((await walk(folder("/p", slices))).length, 250);
});

test("what systems leave behind is left out", async () => {
  assert.deepEqual(await walk(folder("/p", [file("/p/.DS_Store"), file("/p/._p_1.tif")])), []);
});
