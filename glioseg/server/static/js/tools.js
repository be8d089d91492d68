// The tools that take the pointer: brush and eraser, and those that a click sets to work.
import { t } from "./i18n.js";
import { AXIAL } from "./place.js";
import { takePointer } from "./pointer.js";
import { takeTouch } from "./touch.js";
import { askAgain } from "./voxels/ask.js";
import { fillBetween } from "./voxels/between.js";
import { paint, PLANE_AXES, voxelSides } from "./voxels/brush.js";
import { grow, keepLesion, removeLesion } from "./voxels/regions.js";

const $ = (id) => document.getElementById(id);
const PAINTING = ["brush", "eraser"];
const BRUSH = "glioseg-brush";

export class Tools {
  // labels: what is drawn with; rulers: the tools that measure, by name.
  constructor(view, { editing, labels, rulers = {}, fail }) {
    Object.assign(this, { view, editing, labels, fail });
    // Of each tool that a click sets to work: comes to what it does, once everything that it needs is there.
    const clicks = {
      remove: async () => (mask, voxel) => removeLesion(mask, voxel, labels.current) || this._sayNone(),
      keep: async () => (mask, voxel) => keepLesion(mask, voxel, labels.current) || this._sayNone(),
      grow: () => this._growing(),
      ask: () => this._asking(),
    };
    this.handlers = {
      ...Object.fromEntries(PAINTING.map((name) => [name, this._painting(name)])),
      ...Object.fromEntries(Object.keys(clicks).map((name) => [name, { down: (hit) => hit.inside && this._click(name, clicks[name](), hit.voxel) }])),
      ...rulers,
    };
    this.keyable = [...PAINTING, ...Object.keys(clicks)];
    const tool = () => (view.mask && view.planes !== "render" ? this.handlers[view.tool] : null) ?? null;
    takeTouch($("stage"), view, { drawing: tool, abandon: () => pointer.abandon() }); // before the tools see the finger
    const pointer = takePointer($("stage"), view, tool);
    this._kept();
    for (const id of ["pen-size", "pen-cut", "tolerance"]) $(id).addEventListener("input", () => this.refresh());
    for (const id of ["pen-size", "fill-at-once"]) $(id).addEventListener("change", () => this._keep());
    $("pen-limit").addEventListener("change", () => this.refresh());
  }

  choose(tool) {
    this.view.setTool(tool);
    for (const row of document.querySelectorAll("[data-for]")) row.hidden = !row.dataset.for.split(" ").includes(tool);
    if (!PAINTING.includes(tool)) $("ring").hidden = true;
    $("edit-said").textContent = "";
    // What a click needs is there before it.
    if (tool === "ask") this._asking().catch((error) => this.fail(error));
    this.refresh();
  }

  // What a click on a voxel does, for a key.
  use(voxel, event) {
    if (!this.keyable.includes(this.view.tool)) return;
    const handler = this.handlers[this.view.tool];
    handler.down({ voxel, plane: AXIAL, inside: true }, event);
    handler.up?.();
  }

  // [ and ] make the brush smaller and larger.
  resize(steps) {
    const size = $("pen-size");
    size.value = Number(size.value) + steps * Number(size.step);
    this._keep();
    this.refresh();
    this.ring(this.last);
  }

  // Size and manner of the brush last from scan to scan.
  _keep() {
    try {
      localStorage.setItem(BRUSH, JSON.stringify({ size: $("pen-size").value, fill: $("fill-at-once").checked }));
    } catch {
      // a browser that keeps nothing
    }
  }

  _kept() {
    try {
      const { size, fill } = JSON.parse(localStorage.getItem(BRUSH)) ?? {};
      if (size) $("pen-size").value = size;
      $("fill-at-once").checked = Boolean(fill);
    } catch {
      // a browser that keeps nothing
    }
  }

  refresh() {
    $("pen-size-text").textContent = $("pen-size").value;
    const bounds = this.view.scan?.windows[this.view.measured];
    if (!bounds) return;
    const range = bounds.high - bounds.low;
    const digits = range > 20 ? 0 : 2;
    $("pen-cut-row").hidden = !PAINTING.includes(this.view.tool) || $("pen-limit").value === "any";
    $("pen-cut-text").textContent = (bounds.low + Number($("pen-cut").value) * range).toFixed(digits);
    $("tolerance-text").textContent = `± ${(Number($("tolerance").value) * range).toFixed(digits)}`;
  }

  _painting(name) {
    let from = null;
    let options = null;
    return {
      down: (hit, event) => {
        const erases = (name === "eraser") !== (event.ctrlKey || event.metaKey || event.button === 2);
        options = this._brush(erases);
        if (!options) return;
        this.view.beginStroke();
        this._paint((from = hit), hit, options);
      },
      move: (hit) => {
        if (!this.view.stroking) return;
        // Keys change the slice in the middle of a stroke: it goes on there, and there is no line between both.
        const through = PLANE_AXES[hit.plane][2];
        const same = from.plane === hit.plane && from.voxel[through] === hit.voxel[through];
        this._paint(same ? from : hit, hit, options);
        from = hit;
      },
      up: () => {
        if (options?.label && $("fill-at-once").checked) this._fillBetween();
        this.view.endStroke();
      },
      abandon: () => this._abandon(),
      hover: (hit) => this.ring(hit),
      leave: () => this.ring(null),
    };
  }

  // What the controls say of the brush; null while the brightness that it asks for is still coming. It erases the label
  // that is drawn with, and paints over all others.
  _brush(erases) {
    const { view } = this;
    const own = this.labels.current;
    const { voxels } = view.mask;
    const limit = $("pen-limit").value;
    const options = { size: Number($("pen-size").value), depth: Number($("pen-depth").value), sides: voxelSides(view.scan.spacing), label: erases ? 0 : own };
    const erasable = (place) => voxels[place] === own;
    if (limit === "any") return { ...options, accepts: erases ? erasable : null };
    const values = view.images[view.measured]?.img;
    if (!values) return null;
    const { low, high } = view.scan.windows[view.measured];
    const cut = low + Number($("pen-cut").value) * (high - low);
    const fits = limit === "brighter" ? (place) => values[place] >= cut : (place) => values[place] <= cut;
    return { ...options, accepts: erases ? (place) => erasable(place) && fits(place) : fits };
  }

  _paint(from, to, options) {
    const reached = paint(this.view.mask, { from: from.voxel, to: to.voxel, plane: to.plane, ...options });
    if (reached) this.view.painted(...reached);
  }

  // What lies between the stroke and the next slices with the label, as a part of the stroke.
  _fillBetween() {
    const { view } = this;
    if (!view.stroking) return;
    const drawn = new Set(view.mask.touched.keys());
    const filled = fillBetween(view.mask, (z) => drawn.has(z), this.labels.current);
    if (filled.length) view.painted(filled[0], filled.at(-1));
  }

  // A second finger came: the stroke of the first was none.
  _abandon() {
    const { view } = this;
    if (!view.stroking) return;
    const positions = [...view.mask.touched.keys()];
    view.mask.revert();
    view.endStroke();
    if (positions.length) view.painted(Math.min(...positions), Math.max(...positions));
  }

  // The ring has the size of the brush in the plane that the pointer is on.
  ring(hit) {
    const ring = $("ring");
    this.last = hit;
    ring.hidden = !hit || !PAINTING.includes(this.view.tool);
    if (ring.hidden) return;
    const sides = voxelSides(this.view.scan.spacing);
    const size = Number($("pen-size").value) * Math.min(...PLANE_AXES[hit.plane].slice(0, 2).map((axis, at) => hit.scale[at] / sides[axis]));
    ring.style.width = ring.style.height = `${size}px`;
    ring.style.left = `${hit.left}px`;
    ring.style.top = `${hit.top}px`;
  }

  async _click(name, coming, voxel) {
    try {
      const change = await coming;
      this._say("");
      this.editing.change(name, (mask) => change(mask, voxel));
    } catch (error) {
      this.fail(error);
    }
  }

  async _growing() {
    const { view } = this;
    const layer = view.measured;
    const { low, high } = view.scan.windows[layer];
    const values = await view.valuesOf(layer);
    return (mask, voxel) => {
      const options = { values, tolerance: Number($("tolerance").value) * (high - low), flat: $("grow-flat").checked, label: this.labels.current };
      this._say("grown", { count: grow(mask, voxel, options).toLocaleString("en") });
    };
  }

  async _asking() {
    const { view } = this;
    const { threshold, spacing } = view.scan;
    const known = view.scan.probability && !this.labels.several; // of several labels it is that of any
    const [values, probability] = await Promise.all([view.valuesOf("flair"), known ? view.valuesOf("probability") : null]);
    return (mask, voxel) => {
      const begun = performance.now();
      const { label, count } = askAgain(mask, voxel, { values, probability, threshold, spacing, own: this.labels.current });
      const milliseconds = Math.ceil(performance.now() - begun);
      this._say(label ? "asked_marked" : "asked_unmarked", { count: count.toLocaleString("en"), milliseconds });
    };
  }

  _sayNone() {
    const { several, name } = this.labels;
    this._say(several ? "no_label_here" : "no_lesion_here", { name });
  }

  _say(word, values) {
    $("edit-said").textContent = word && t(word, values);
  }
}
