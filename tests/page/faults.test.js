// What the server says is wrong, in Chinese.
import assert from "node:assert/strict";
import { test } from "node:test";

import { inChinese } from "./js/faults.js";

test("a known text is translated, with what it holds", () => {
  assert.equal(inChinese("the upload (a.nii)"), "上传内容 (a.nii)");
  assert.equal(inChinese("Come back in 30 seconds."), "请在 30 秒后再试。");
});

test("series are translated within a text", () => {
  const text = inChinese("only series 4 'AX T2' [axial 24 images] and 2 more");
  assert.equal(text, "只有 序列 4 'AX T2' [轴位 24 张] 等，另有 2 个");
});

test("the number of a fault stays what it is", () => {
  assert.match(inChinese("one (reference ab12cd)"), /ab12cd/);
});

test("what is not known stays as it is", () => {
  assert.equal(inChinese("patient_07.nii.gz"), "patient_07.nii.gz");
});
