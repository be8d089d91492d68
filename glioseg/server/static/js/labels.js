// The labels of the mask and of the true mask: what each is called, and the one that the tools draw with.
import { onLanguage, t } from "./i18n.js";
import { element } from "./page.js";
import { coloursOf } from "./voxels/labels.js";

const $ = (id) => document.getElementById(id);
// What a label is called in a sentence.
export function nameOf({ value, name }) {
  if (name === "lesion") return t("label_lesion");
  return [String(value), `label ${value}`].includes(name) ? t("label_value", { value }) : name;
}

export class Labels {
  // session(): the scan that is open, if its mask is there.
  constructor(view, { session, fail }) {
    Object.assign(this, { view, session, fail, all: [], current: 1 });
    onLanguage(() => this.shown && this._fill());
  }

  get several() {
    return this.all.length > 1;
  }

  // What the chosen label is called.
  get name() {
    return nameOf(this.all.find(({ value }) => value === this.current));
  }

  // To the next one, or to the one before (-1).
  next(step) {
    const place = this.all.findIndex(({ value }) => value === this.current);
    const { value } = this.all[(place + step + this.all.length) % this.all.length];
    $(`label-${value}`)?.click();
  }

  // The mask that is shown has these labels, and the true one those.
  refresh({ scan }) {
    const shown = JSON.stringify([scan.id, scan.labels, scan.truth_labels]);
    if (this.shown === shown) return;
    Object.assign(this, { shown, all: scan.labels, truth: scan.truth_labels });
    if (!this.all.some(({ value }) => value === this.current)) this.current = this.all[0].value;
    this.colours = coloursOf(this.all, this.truth);
    this.view.setColours(this.colours);
    this._fill();
  }

  _fill() {
    $("labels").hidden = !this.several;
    $("panel").dataset.labels = this.several ? "several" : "one";
    const chips = this.all.map((label) => {
      const { value } = label;
      const choose = () => (this.current = value);
      const input = element("input", { type: "radio", name: "label", value, id: `label-${value}`, checked: value === this.current, onchange: choose });
      return element("label", { class: "check" }, input, swatch(this.colours.predicted[value]), element("span", {}, nameOf(label)));
    });
    $("labels").querySelector(".row").replaceChildren(...chips);
    this._fillTruth();
  }

  // Of a true mask with several labels, which of them are the lesion; at least one stays chosen.
  _fillTruth() {
    const box = $("truth-labels");
    box.hidden = !this.truth.length;
    const chosen = () => [...box.querySelectorAll("input:checked")].map((input) => Number(input.value));
    const boxes = this.truth.map((label) => {
      const { value, voxels, chosen: checked } = label;
      const text = t("truth_label", { name: nameOf(label), voxels: voxels.toLocaleString("en") });
      const change = (event) => (chosen().length ? this._chooseTruth(chosen()) : (event.target.checked = true));
      return element("label", { class: "check" }, element("input", { type: "checkbox", value, checked, onchange: change }), swatch(this.colours.true[value]), element("span", {}, text));
    });
    box.querySelector(".row").replaceChildren(...boxes);
  }

  async _chooseTruth(values) {
    try {
      this.view.setTruth(await this.session().chooseTruth(values));
    } catch (error) {
      this._fillTruth(); // as it was
      this.fail(error);
    }
  }
}

function swatch(colour) {
  const made = element("span", { class: "swatch", "aria-hidden": "true" });
  made.style.background = colour;
  return made;
}
