// The list of lesions: each with volume and diameters; a click goes there.
import { getJson } from "./api.js";
import { onLanguage, t } from "./i18n.js";
import { element } from "./page.js";

const $ = (id) => document.getElementById(id);

export class LesionList {
  constructor(view) {
    this.view = view;
    this.shown = null; // {open, content}
    onLanguage(() => this._show());
  }

  // After every change of the mask: each comes with new numbers, and the server is asked when no other one follows.
  async refresh(open) {
    const { numbers } = open;
    if (this.asked === numbers) return;
    this.asked = numbers;
    clearTimeout(this.timer);
    await new Promise((resolve) => (this.timer = setTimeout(resolve, this.shown?.open === open ? 250 : 0)));
    if (this.asked !== numbers) return;
    try {
      const content = await getJson(`/api/scans/${open.scan.id}/lesions`);
      // Of another mask: its numbers are on their way, and ask again.
      if (this.asked !== numbers || content.revision !== numbers.revision) return;
      this.shown = { open, content };
      this._show();
    } catch {
      // The scan has gone: whoever brings it back gets new numbers.
    }
  }

  _show() {
    if (!this.shown) return;
    const { open, content } = this.shown;
    const { shape, slice_numbers: numbers } = open.scan;
    const rows = content.lesions.map((lesion, index) => {
      const size = lesion.volume == null ? `${lesion.voxels.toLocaleString("en")} ${t("voxels")}` : `${(lesion.volume / 1000).toFixed(2)} ml`;
      const [z, row, column] = lesion.place;
      const go = () => this.view.goTo([shape[2] - 1 - column, shape[1] - 1 - row, z]);
      const label = t("go_to_lesion", { number: index + 1, slice: numbers[z] });
      const button = element("button", { type: "button", onclick: go, "aria-label": label, title: label }, String(index + 1));
      const diameters = `${lesion.diameters.map((length) => length.toFixed(1)).join(" × ")} ${t(content.unit)}`;
      return element("tr", {}, element("td", {}, button), element("td", {}, size), element("td", {}, diameters), element("td", {}, String(numbers[z])));
    });
    $("lesions").tBodies[0].replaceChildren(...rows);
    $("lesions").hidden = !rows.length;
    const more = content.count - rows.length;
    $("lesions-note").textContent = more > 0 ? t("more_lesions", { count: more }) : rows.length ? "" : t("no_lesions");
  }
}
