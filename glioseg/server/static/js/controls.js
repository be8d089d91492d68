// Sliders, buttons, wheel and keys: whatever changes how the scan is looked at.
import { STEPS } from "./voxels/steps.js";

export const TOOL_KEYS = { w: "window", m: "pan", b: "brush", e: "eraser", g: "grow", a: "ask", r: "remove", k: "keep", l: "ruler", d: "angle" };

const SLICE_KEYS = /^(Arrow(Up|Down)|Page(Up|Down)|Home|End)$/;
const $ = (id) => document.getElementById(id);

// session(): the scan that is open, if its mask is there; channels: in the order of their keys.
export function connectControls(view, { session, channels, editing, labels, tools, cursor, threshold, rulers, reading, fail }) {
  const on = (id, kind, listener) => $(id).addEventListener(kind, listener);

  view.onWindow = (low, high, channel) => {
    const bounds = view.scan?.windows[channel];
    if (!bounds) return;
    const range = bounds.high - bounds.low;
    reading.tellWindow(low, high);
    $("level").value = ((low + high) / 2 - bounds.low) / range;
    $("width").value = (high - low) / range;
  };
  for (const id of ["level", "width"]) {
    on(id, "input", () => {
      const { low, high } = view.scan.windows[view.channel];
      const middle = low + Number($("level").value) * (high - low);
      const half = (Number($("width").value) * (high - low)) / 2;
      view.setWindow(middle - half, middle + half);
    });
  }
  on("slice", "input", () => view.setSlice(Number($("slice").value)));
  on("show-predicted", "change", (event) => view.setShown("predicted", event.target.checked));
  on("show-true", "change", (event) => view.setShown("true", event.target.checked));
  on("fill", "input", (event) => view.setFill(Number(event.target.value)));
  on("planes", "change", (event) => view.setPlanes(event.target.value).catch(fail));
  on("zoom-in", "click", () => view.zoomBy(1.25));
  on("zoom-out", "click", () => view.zoomBy(0.8));
  on("zoom-reset", "click", () => view.reset());

  async function heat() {
    $("heat-row").hidden = !$("show-heat").checked;
    try {
      await view.setHeat($("show-heat").checked, Number($("heat-opacity").value));
    } catch (error) {
      if (!view.heat) hideHeat(view); // it did not come
      fail(error);
    }
  }
  on("show-heat", "change", heat);
  on("heat-opacity", "input", heat);

  $("stage").addEventListener(
    "wheel",
    (event) => {
      if (!view.scan || view.planes === "render") return;
      event.preventDefault();
      event.stopPropagation();
      if (event.ctrlKey) view.zoomBy(event.deltaY < 0 ? 1.1 : 1 / 1.1);
      else view.setSlice(view.slice + (event.deltaY < 0 ? 1 : -1));
    },
    { capture: true, passive: false },
  );
  // Slices can be gone through before the mask is there.
  const takes = (key) => session() || (view.drawn && SLICE_KEYS.test(key));
  connectKeys(keysOf(view, { channels, editing, labels, tools, cursor, threshold, rulers, reading, session }), { editing, cursor, session, takes });
}

// Another mask of the same scan may have a probability map or none.
export function offerHeat(view, yes) {
  $("show-heat").closest("label").hidden = !yes;
  if (!yes && $("show-heat").checked) hideHeat(view);
}

function hideHeat(view) {
  $("show-heat").checked = false;
  $("heat-row").hidden = true;
  view.setHeat(false, 0);
}

function keysOf(view, { channels, editing, labels, tools, cursor, threshold, rulers, reading, session }) {
  return {
    ArrowUp: () => view.setSlice(view.slice + 1),
    ArrowDown: () => view.setSlice(view.slice - 1),
    PageUp: () => view.setSlice(view.slice + 5),
    PageDown: () => view.setSlice(view.slice - 5),
    Home: () => view.setSlice(0),
    End: () => view.setSlice(view.count - 1),
    p: () => $("show-predicted").click(),
    t: () => session().scan.truth && $("show-true").click(),
    h: () => session().scan.probability && $("show-heat").click(),
    ...Object.fromEntries(Object.entries(TOOL_KEYS).map(([key, tool]) => [key, () => $(`tool-${tool}`).click()])),
    "[": () => tools.resize(-1),
    "]": () => tools.resize(1),
    "<": () => $("threshold-row").hidden || threshold.step(-1),
    ">": () => $("threshold-row").hidden || threshold.step(1),
    Enter: (event) => cursor.use(event),
    Delete: () => rulers.removeLast(),
    c: () => reading.cine(),
    i: () => reading.nextLesion(),
    "?": () => reading.help(),
    q: ({ shiftKey }) => labels.next(shiftKey ? -1 : 1),
    f: () => editing.fillBetween(),
    s: () => editing.smooth(),
    z: () => editing.undo(),
    "+": () => view.zoomBy(1.25),
    "-": () => view.zoomBy(0.8),
    0: () => view.reset(),
    ...Object.fromEntries(channels.map((name, index) => [index + 1, () => $(`channel-${name}`).click()])),
  };
}

function connectKeys(keys, { editing, cursor, session, takes }) {
  // Keys of the history as other programs have them, with Ctrl or the command key.
  const withControl = (event) => {
    const key = event.key.toLowerCase();
    if (key === "z") return event.shiftKey ? () => editing.redo() : () => editing.undo();
    return key === "y" && !event.shiftKey ? () => editing.redo() : null;
  };
  window.addEventListener(
    "keydown",
    (event) => {
      const { target } = event;
      const moves = { range: /^(Arrow|Page|Home|End)/, "select-one": /^(Arrow|Page|Home|End|.$)/, radio: /^Arrow/, number: /^(Arrow|Home|End|Delete|[\d.+-]$)/ };
      const control = event.ctrlKey || event.metaKey;
      const moving = session() && event.shiftKey && !control && event.key in STEPS && !["number", "text", "select-one"].includes(target.type);
      const own = !control && !moving && moves[target.type]?.test(event.key);
      if (!takes(event.key) || own || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.key === "Enter" && !target.matches("body, canvas, [type=range], [type=radio]")) return;
      const plain = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
      const pressed = control && event.key !== "Enter" ? withControl(event) : plain;
      const action = moving ? () => cursor.move(event.key, event.repeat) : pressed;
      if (!action) return;
      event.preventDefault();
      event.stopPropagation(); // NiiVue has keys of its own on its canvas
      action(event);
    },
    true,
  );
}
