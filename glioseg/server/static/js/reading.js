// What helps to read a scan: presets of the window, facts over the picture, cine, and the help on keys.
import { onLanguage, t } from "./i18n.js";
import { element } from "./page.js";
import { Patient, sidesOf, titleOf } from "./patient.js";

const $ = (id) => document.getElementById(id);
const CINE_STEP = 125; // milliseconds a slice

// From where to where the window reaches, as shares of the usual one (0 black, 1 white).
const PRESETS = { usual: [0, 1], soft: [0, 1.6], hard: [0.25, 0.75], bright: [0.5, 1.2], dark: [0, 0.5] };

// What each key does: its words in the catalogue.
const KEYS = [
  ["↑ ↓", "key_slice"], ["PgUp PgDn", "key_slices"], ["Home End", "key_ends"], ["C", "cine"],
  ["1 2 3 4", "channel"], ["P", "predicted"], ["T", "true"], ["H", "heat"], ["+ −", "zoom"], ["0", "reset"],
  ["W", "tool_window"], ["M", "tool_pan"], ["B", "tool_brush"], ["E", "tool_eraser"], ["[ ]", "pen_size"], ["Ctrl", "key_opposite"],
  ["Q, Shift Q", "key_label"], ["Shift ← ↑ → ↓", "key_cursor"], ["Enter", "key_enter"], ["G", "tool_grow"], ["A", "tool_ask"], ["R", "tool_remove"], ["K", "tool_keep"], ["F", "fill_between"], ["S", "smooth"],
  ["< >", "key_threshold"], ["Z, Ctrl+Z", "undo"], ["Ctrl+Shift+Z, Ctrl+Y", "redo"],
  ["L", "tool_ruler"], ["D", "tool_angle"], ["Del", "key_ruler"], ["I", "key_lesion"], ["N", "key_next"], ["Shift N", "key_previous"], ["V", "key_checked"], ["?", "keys"],
];

export class Reading {
  constructor(view) {
    this.view = view;
    this.lesion = -1;
    $("presets").addEventListener("change", () => this._preset());
    $("cine").addEventListener("click", () => this.cine());
    $("keys-open").addEventListener("click", () => this.help());
    this.patient = new Patient(() => this.tellFacts());
    onLanguage(() => this.tellFacts());
  }

  // Another scan is shown.
  begin() {
    this.stop();
    this.lesion = -1;
    $("presets").value = "usual";
    this.tellFacts();
  }

  tellFacts() {
    const { scan, measured, channel } = this.view;
    if (!scan) return;
    this.patient.refresh(scan);
    $("scan-name").textContent = this.patient.mayName(scan) ? scan.name : t("name_hidden");
    const series = this.patient.shown && scan.series.find(({ sequence }) => sequence === measured);
    const facts = [t(channel ?? "flair"), series && titleOf(series), sidesOf(scan)];
    $("facts").textContent = facts.filter(Boolean).join(" · ");
  }

  // Numbers beside the sliders, in the values of the sequence.
  tellWindow(low, high) {
    const digits = Math.abs(high - low) > 20 ? 0 : 2;
    $("level-text").textContent = ((low + high) / 2).toFixed(digits);
    $("width-text").textContent = (high - low).toFixed(digits);
  }

  _preset() {
    const bounds = this.view.scan?.windows[this.view.channel];
    if (!bounds) return;
    const [low, high] = PRESETS[$("presets").value].map((share) => bounds.low + share * (bounds.high - bounds.low));
    this.view.setWindow(low, high);
    this.view.tellWindow();
  }

  // Slice after slice, and from the first one again.
  cine() {
    if (this.playing) return this.stop();
    this.playing = setInterval(() => {
      const { view } = this;
      if (!view.mask || document.hidden) return;
      view.setSlice((view.slice + 1) % view.count);
    }, CINE_STEP);
    this._tellCine();
  }

  stop() {
    clearInterval(this.playing);
    this.playing = null;
    this._tellCine();
  }

  _tellCine() {
    $("cine").setAttribute("aria-pressed", Boolean(this.playing));
    $("cine").querySelector("span").textContent = this.playing ? "❚❚" : "▶";
  }

  // One lesion of the list after the other.
  nextLesion() {
    const buttons = $("lesions").querySelectorAll("button");
    if (buttons.length) buttons[(this.lesion = (this.lesion + 1) % buttons.length)].click();
  }

  help() {
    const rows = KEYS.map(([keys, word]) => element("tr", {}, element("th", { scope: "row" }, element("kbd", {}, keys)), element("td", {}, t(word))));
    $("keys").querySelector("tbody").replaceChildren(...rows);
    if (!$("keys").open) $("keys").showModal();
  }
}
