// The crosshair as a pointer for the keyboard: Shift with arrows moves it in the slice, and Enter does there what a
// click does.
import { t } from "./i18n.js";
import { nameOf } from "./labels.js";
import { placeOf } from "./voxels/regions.js";
import { stepped, STEPS } from "./voxels/steps.js";

const $ = (id) => document.getElementById(id);
const FAST = 4; // voxels a step while a key is held

export class Cursor {
  // tools: do what a click does; labels: names of what is marked.
  constructor(view, { tools, labels }) {
    Object.assign(this, { view, tools, labels, shown: false });
    const paint = view.onDraw;
    view.onDraw = () => {
      paint();
      this._paint();
    };
    $("stage").addEventListener("pointermove", () => this.hide(), { capture: true }); // tools stop it there
  }

  get voxel() {
    const { dimensions, nv } = this.view;
    return dimensions.map((size, axis) => Math.min(size - 1, Math.floor(nv.scene.crosshairPos[axis] * size)));
  }

  hide() {
    if (!this.shown) return;
    this.shown = false;
    this._paint();
  }

  // key: of STEPS.
  move(key, held) {
    const { view } = this;
    if (!view.mask || view.planes === "render") return;
    this.shown = true;
    const voxel = stepped(this.voxel, STEPS[key], held ? FAST : 1, view.dimensions);
    view.goTo(voxel);
    const value = view.mask.voxels[placeOf(view.mask, voxel)];
    const label = this.labels.all.find((each) => each.value === value);
    const place = { row: view.height - voxel[1], column: view.width - voxel[0] };
    $("edit-said").textContent = t("cursor_at", { ...place, label: label ? nameOf(label) : t("not_marked") });
  }

  // What a click at the crosshair does. event: of the key, whose Ctrl does the opposite.
  use(event) {
    if (!this.view.mask || this.view.planes === "render") return;
    this.shown = true;
    this.tools.use(this.voxel, event);
    this._paint();
  }

  _paint() {
    const { view } = this;
    const place = this.shown && view.mask && view.planes === "axial" ? view.screenOf(this.voxel.map((value) => value + 0.5)) : null;
    $("cursor").hidden = !place;
    if (!place) return;
    [$("cursor").style.left, $("cursor").style.top] = place.map((value) => `${value}px`);
    const frame = view.canvas.getBoundingClientRect();
    this.tools.ring(view.hit(frame.left + place[0], frame.top + place[1]));
  }
}
