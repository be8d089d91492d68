// Ruler and angle: lines over the picture that stay on their slice, and the numbers beside them.
import { onLanguage, t } from "./i18n.js";
import { PLANE_AXES } from "./voxels/brush.js";
import { angleOf, lengthOf } from "./voxels/measure.js";

const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";

export class Rulers {
  constructor(view) {
    this.view = view;
    this.all = []; // {kind, plane, points: [[x, y, z], ...]}, the last may still be drawn
    this.open = null;
    this.tools = { ruler: this._ruler(), angle: this._angle() };
    view.onDraw = () => this.paint();
    $("rulers-clear").addEventListener("click", () => this.clear());
    onLanguage(() => this.paint());
  }

  // Another scan is shown, or nothing is to be measured any more.
  clear() {
    this.all = [];
    this.open = null;
    this.paint();
  }

  // The last one goes.
  removeLast() {
    this.all.pop();
    this.open = null;
    this.paint();
  }

  // From where the pointer is pressed to where it is let go.
  _ruler() {
    return {
      down: (hit) => this._begin("ruler", hit, 2),
      move: (hit) => this._follow(hit),
      up: () => this._end(),
      abandon: () => this.open && this.removeLast(),
    };
  }

  // Three clicks: the end of a line, the corner, the end of the other line.
  _angle() {
    return {
      down: (hit) => {
        if (this.open?.kind !== "angle" || !this._follow(hit)) return this._begin("angle", hit, 3);
        if (this.open.points.length === 3) this._end();
        else this.open.points.push(hit.exact);
      },
      hover: (hit) => hit && this.open?.kind === "angle" && this._follow(hit),
    };
  }

  _begin(kind, hit) {
    if (this.open) this.removeLast();
    this.open = { kind, plane: hit.plane, points: [hit.exact, hit.exact] };
    this.all.push(this.open);
    this.paint();
  }

  // The point that is being placed; false on another slice.
  _follow(hit) {
    const { open } = this;
    const through = PLANE_AXES[hit.plane][2];
    if (!open || hit.plane !== open.plane || Math.floor(hit.exact[through]) !== Math.floor(open.points[0][through])) return false;
    open.points[open.points.length - 1] = hit.exact;
    this.paint();
    return true;
  }

  _end() {
    const { open } = this;
    this.open = null;
    if (!open) return;
    const [from, to] = open.points;
    if (open.kind === "ruler" && from.every((value, axis) => Math.abs(value - to[axis]) < 0.5)) return this.removeLast();
    $("edit-said").textContent = `${t(`tool_${open.kind}`)}: ${this._text(open)}`;
    this.paint();
  }

  _text({ kind, points }) {
    const { spacing } = this.view.scan;
    if (kind === "angle") return points.length < 3 ? "" : `${angleOf(points, spacing).toFixed(1)}°`;
    const { value, unit } = lengthOf(points, spacing);
    return `${value.toFixed(1)} ${t(unit)}`;
  }

  paint() {
    const { view } = this;
    const box = $("rulers");
    const shown = view.scan && view.planes !== "render" ? this.all.filter((each) => view.shows(each.points[0], each.plane)) : [];
    $("rulers-clear").disabled = !this.all.length;
    if (!shown.length && !box.childElementCount) return;
    box.replaceChildren(...shown.flatMap((each) => this._drawn(each)));
  }

  _drawn(each) {
    const points = each.points.map((point) => this.view.screenOf(point, each.plane));
    if (points.some((point) => !point)) return [];
    const line = make("polyline", { points: points.map((point) => point.join(",")).join(" ") });
    const ends = points.map(([cx, cy]) => make("circle", { cx, cy, r: 3 }));
    const [x, y] = each.kind === "angle" ? points[1] : points[points.length - 1];
    const text = make("text", { x: x + 8, y: y - 6 });
    text.textContent = this._text(each);
    return [line, ...ends, text];
  }
}

function make(name, attributes) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}
