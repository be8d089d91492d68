// Patient and series of the scan that is open. What the files say of the patient is asked for only while it is shown,
// on the machine that serves, and no part of it is kept.
import { getJson } from "./api.js";
import { onLanguage, t } from "./i18n.js";
import { element } from "./page.js";

const KEY = "glioseg-names";
const $ = (id) => document.getElementById(id);

// "4 AX FLAIR"
export function titleOf({ number, name }) {
  return [number, name].filter((each) => each || each === 0).join(" ");
}

// x, y and z, as the picture shows them.
export function sidesOf({ spacing }) {
  return spacing ? `${[...spacing].reverse().map((side) => Number(side.toFixed(2))).join(" × ")} mm` : t("no_spacing");
}

function extentOf({ shape }) {
  return [...shape].reverse().join(" × ");
}

export class Patient {
  // onChange(): names are shown from now on, or no longer.
  constructor(onChange) {
    this.here = ["localhost", "127.0.0.1", "[::1]"].includes(location.hostname);
    this.said = null; // {id, ...} of the scan that was asked for last
    const box = $("show-names");
    // Where others use the server too, somebody may look over a shoulder, or the screen is shared.
    box.checked = this.here && (kept() ?? (document.documentElement.dataset.alone ? "shown" : "hidden")) === "shown";
    box.closest("label").hidden = !this.here;
    box.addEventListener("change", () => {
      keep(box.checked ? "shown" : "hidden");
      onChange();
    });
    onLanguage(() => this.scan && this._show());
  }

  get shown() {
    return $("show-names").checked;
  }

  // Elsewhere a person sees the names of files that were chosen there, but none that DICOM files hold.
  mayName({ format }) {
    return this.here ? this.shown : format !== "dicom";
  }

  async refresh(scan) {
    this.scan = scan;
    if (!this.shown) this.said = null;
    this._show();
    if (!this.shown || this.said?.scan === scan.id) return;
    this.said = { scan: scan.id };
    const said = await getJson(`/api/scans/${scan.id}/patient`).catch(() => ({})); // the scan has gone
    if (this.said?.scan !== scan.id) return;
    Object.assign(this.said, said);
    this._show();
  }

  _show() {
    const { scan, said } = this;
    const { name, id, birth_year: year, sex, study_date: date, study, description, folder } = said ?? {};
    const series = scan.channels.map((name) => this.shown && scan.series.find(({ sequence }) => sequence === name)).filter(Boolean);
    const own = scan.channels.filter((name) => !scan.filled.includes(name));
    const rows = [
      [t("patient_name"), [name, id, year && t("patient_born", { year }), sex && t(`sex_${sex}`)]],
      [t("patient_study"), [date, study]],
      [t("patient_description"), [description]],
      [t("patient_folder"), [folder]],
      ...series.map((each) => [t(each.sequence), [titleOf(each)]]),
      [t("about_sequences"), series.length ? [] : own.map((name) => t(name))],
      [t("about_voxels"), [sidesOf(scan), extentOf(scan)].map((text) => text.replaceAll(" ", "\u00a0"))],
    ].map(([word, values]) => [word, values.filter(Boolean).join(" · ")]);
    $("about").querySelector("tbody").replaceChildren(...rows.filter(([, value]) => value).map(([word, value]) => element("tr", {}, element("th", { scope: "row" }, word), element("td", {}, value))));
    $("about-note").textContent = this.here ? (this.shown ? "" : t("names_hidden")) : t("names_elsewhere");
  }
}

function kept() {
  try {
    return localStorage.getItem(KEY);
  } catch {
    return null;
  }
}

function keep(value) {
  try {
    localStorage.setItem(KEY, value);
  } catch {
    // a browser that keeps nothing: the choice lasts as long as the page
  }
}
