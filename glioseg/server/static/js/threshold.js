// "A little more, a little less": the threshold on the probability map, in steps of its log odds.
import { moveThreshold, thresholdOf } from "./voxels/threshold.js";

const $ = (id) => document.getElementById(id);

// More lesion to the right: there the threshold is low.
const toSlider = (threshold) => Math.log((1 - threshold) / threshold);
const toThreshold = (value) => 1 / (1 + Math.exp(value));

export class ThresholdSlider {
  // session(): the scan that is open, if its mask is there.
  constructor(view, editing, { session, fail }) {
    Object.assign(this, { view, editing, session, fail });
    this.slider = $("threshold");
    this.moving = null; // while it is tried out: {open, before, probability}
    this.slider.addEventListener("input", () => this._move());
    // A slider that was brought back to where it was has not changed, but it is let go.
    for (const end of ["change", "pointerup", "pointercancel", "blur"]) this.slider.addEventListener(end, () => this._end());
    $("threshold-less").addEventListener("click", () => this.step(-1));
    $("threshold-more").addEventListener("click", () => this.step(1));
    editing.onRefresh = (open) => this.refresh(open);
  }

  step(sign) {
    this.slider.value = Number(this.slider.value) + 0.4 * sign;
    this._move();
    this._end();
  }

  refresh({ scan, history }) {
    // Of several labels the map says only where there is any of them.
    const hidden = !scan.probability || scan.labels.length > 1;
    $("threshold-row").hidden = hidden;
    if (this.moving || hidden) return;
    this._tell((this.now = thresholdOf(history, scan.threshold)));
    this.slider.value = toSlider(this.now);
  }

  _tell(threshold) {
    $("threshold-text").textContent = threshold.toFixed(2);
    this.slider.setAttribute("aria-valuetext", threshold.toFixed(2));
  }

  _move() {
    this._tell(toThreshold(Number(this.slider.value)));
    if (!this.moving) this._begin();
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this._try();
    });
  }

  _begin() {
    const open = this.session();
    if (!open?.mask || this.view.stroking) return;
    const moving = (this.moving = { open, before: this.now, probability: null });
    this.view.beginStroke();
    moving.coming = this.view.valuesOf("probability").then((values) => {
      moving.probability = values;
      this._try();
    });
    moving.coming.catch((error) => this.fail(error));
  }

  // From the mask as it was each time: what lay between is not lost on the way back.
  _try(moving = this.moving) {
    const { view } = this;
    if (!moving?.probability || view.mask !== moving.open.mask) return;
    const { mask } = view;
    mask.revert();
    moving.after = toThreshold(Number(this.slider.value));
    moveThreshold(mask, moving.probability, moving.before, moving.after);
    const slices = [...mask.touched.keys()];
    if (slices.length) view.painted(Math.min(...slices), Math.max(...slices));
  }

  async _end() {
    const { moving } = this;
    if (!moving) return;
    await moving.coming.catch(() => {}); // told already
    if (this.moving !== moving) return;
    this.moving = null;
    if (!moving.probability) return this.view.endStroke();
    this._try(moving);
    this.view.endStroke({ kind: "threshold", threshold: moving.after });
  }
}
