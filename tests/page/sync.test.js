// Every change reaches the server, and whoever waits for that waits for the last one.
import assert from "node:assert/strict";
import { test } from "node:test";

import { Sync } from "./js/sync.js";

const wait = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

test("changes that come close together go in one message", async () => {
  const sent = [];
  const sync = new Sync({ send: async (positions) => sent.push(positions), delay: 5 });
  sync.changed([3]);
  sync.changed([4, 3]);
  await wait(30);
  assert.deepEqual(sent, [[3, 4]]);
  assert.equal(sync.state, "idle");
});

test("there is one message at a time, and what comes meanwhile is sent after it", async () => {
  const sent = [];
  let under = 0;
  const sync = new Sync({
    delay: 1,
    send: async (positions) => {
      assert.equal(++under, 1);
      await wait(15);
      under--;
      sent.push(positions);
    },
  });
  sync.changed([1]);
  await wait(8);
  sync.changed([2]);
  await sync.settled();
  assert.deepEqual(sent, [[1], [2]]);
  assert.equal(sync.busy, false);
});

test("whoever waits waits for the stroke that is under way", async () => {
  const sent = [];
  const sync = new Sync({ send: async (positions) => sent.push(positions), delay: 1 });
  sync.stroking(true);
  let settled = false;
  const waiting = sync.settled().then(() => (settled = true));
  await wait(20);
  assert.equal(settled, false);
  sync.changed([7]);
  sync.stroking(false);
  await waiting;
  assert.deepEqual(sent, [[7]]);
});

test("what could not be sent is told, kept, and sent with the next", async () => {
  const states = [];
  let broken = true;
  const sent = [];
  const sync = new Sync({
    delay: 1,
    onState: (state) => states.push(state),
    send: async (positions) => {
      if (broken) throw new Error("lost");
      sent.push(positions);
    },
  });
  sync.changed([1]);
  await assert.rejects(sync.settled(), /lost/);
  assert.equal(sync.state, "failed");
  await assert.rejects(sync.settled(), /lost/);
  broken = false;
  sync.changed([2]);
  await sync.settled();
  assert.deepEqual(sent, [[1, 2]]);
  assert.equal(states.at(-1), "idle");
});

test("a lost server is tried again by itself", async () => {
  let calls = 0;
  const sync = new Sync({
    delay: 1,
    again: () => 0.01,
    send: async () => {
      if (++calls < 3) throw new Error("lost");
    },
  });
  sync.changed([1]);
  await wait(80);
  assert.deepEqual([calls, sync.state, sync.busy], [3, "idle", false]);
});

test("a scan that was closed says nothing more", async () => {
  const states = [];
  const sync = new Sync({ delay: 1, onState: (state) => states.push(state), send: async () => assert.fail("sent") });
  sync.changed([1]);
  sync.close();
  await wait(15);
  assert.deepEqual(states, ["waiting"]);
});
