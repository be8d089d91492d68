// Whatever goes wrong with a call becomes a Refusal with faults that the page can show.
import assert from "node:assert/strict";
import { afterEach, test } from "node:test";

import { getJson, post, Refusal } from "./js/api.js";

const given = globalThis.fetch;
afterEach(() => (globalThis.fetch = given));

function answer(status, text, headers = {}) {
  globalThis.fetch = async () => new Response(text, { status, headers });
}

async function refusalOf(call) {
  try {
    await call();
  } catch (error) {
    assert.ok(error instanceof Refusal);
    return error;
  }
  return assert.fail("nothing was refused");
}

test("an answer is parsed", async () => {
  answer(200, '{"runs": []}');
  assert.deepEqual(await getJson("/api/runs"), { runs: [] });
});

test("the faults of the server come through, with the series to choose from", async () => {
  const faults = [{ where: "a.nii", expected: "a volume", found: "none", cure: "Copy it anew." }];
  answer(422, JSON.stringify({ faults, series: [{ key: "4" }] }));
  const refusal = await refusalOf(() => post("/api/scans/x/segment", {}));
  assert.deepEqual([refusal.status, refusal.faults, refusal.series], [422, faults, [{ key: "4" }]]);
  assert.equal(refusal.message, "a.nii: none");
});

test("a full server says when to come back", async () => {
  answer(503, JSON.stringify({ faults: [] }), { "Retry-After": "12" });
  assert.equal((await refusalOf(() => getJson("/api/scans"))).retryAfter, 12);
});

test("an answer that is no JSON is a lost server", async () => {
  answer(502, "<html>bad gateway</html>");
  assert.equal((await refusalOf(() => getJson("/api/runs"))).faults[0].where, "glioseg serve");
});

test("a lost server is missed in Chinese too", async () => {
  answer(502, "");
  const [fault] = (await refusalOf(() => getJson("/api/runs"))).faults;
  assert.equal(fault.translations.zh.expected, "应答");
});

test("a connection that breaks is a lost server", async () => {
  globalThis.fetch = async () => {
    throw new TypeError("failed to fetch");
  };
  assert.equal((await refusalOf(() => getJson("/api/runs"))).status, 0);
});

test("what a person cancels is no fault", async () => {
  globalThis.fetch = async () => {
    throw new DOMException("cancelled", "AbortError");
  };
  await assert.rejects(() => getJson("/api/runs"), { name: "AbortError" });
});
