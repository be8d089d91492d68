// One page of the list as a table; on narrow screens its rows are cards.
import { inLanguage, t } from "../i18n.js";
import { element, number } from "../page.js";

// Each column: its word, and the order that it stands for.
const COLUMNS = [
  ["patient", "name"],
  ["list_status", "status"],
  ["expected_dice", "certainty"],
  ["lesion_volume", "volume"],
  ["list_slices", "slices"],
  ["list_warnings", "warnings"],
  ["list_checked", null],
  ["list_more", null],
];

export class Table {
  // on: {open(key), check(row), sort(by), remove(row, removed), series(row)}.
  constructor(table, on) {
    Object.assign(this, { table, on });
    table.tBodies[0].addEventListener("keydown", (event) => this._move(event));
  }

  // rows: those of this page; sort: {by, down}.
  show(rows, sort) {
    const focused = document.activeElement?.closest?.("tr")?.dataset.key;
    const part = document.activeElement?.dataset.part;
    this._head(sort);
    this.table.tBodies[0].replaceChildren(...rows.map((row) => this._row(row)));
    if (focused) this._focus(focused, part);
  }

  _focus(key, part = "open") {
    this.table.querySelector(`tr[data-key="${key}"] [data-part="${part}"]`)?.focus({ preventScroll: true });
  }

  _head({ by, down }) {
    const cells = COLUMNS.map(([word, order]) => {
      if (!order) {
        const text = element("span", { class: word === "list_more" && "hidden-text" }, t(word));
        return element("th", { scope: "col", role: "columnheader" }, text);
      }
      const direction = by === order ? (down ? "descending" : "ascending") : null;
      const button = element("button", { type: "button", class: "term", onclick: () => this.on.sort(order) }, t(word));
      return element("th", { scope: "col", role: "columnheader", "aria-sort": direction }, button);
    });
    this.table.tHead.replaceChildren(element("tr", { role: "row" }, ...cells));
  }

  _row(row) {
    const cells = COLUMNS.slice(1).map(([word], place) =>
      element("td", { role: "cell", class: `c-${word}` }, element("span", { class: "label" }, t(word)), CELLS[place](row, this.on)),
    );
    const name = element("a", { href: `/?row=${row.key}`, "data-part": "open", onclick: () => this.on.open() }, row.name);
    const head = element("th", { scope: "row", role: "rowheader" }, element("div", { class: "patient" }, picture(row), name));
    return element("tr", { role: "row", "data-key": row.key, "data-status": row.status }, head, ...cells);
  }

  // Up and down through the rows, as in other lists.
  _move(event) {
    const row = event.target.closest("tr");
    const to = { ArrowDown: row?.nextElementSibling, ArrowUp: row?.previousElementSibling }[event.key];
    if (!to || event.ctrlKey || event.altKey || event.metaKey) return;
    event.preventDefault();
    to.querySelector("[data-part=open]").focus();
  }
}

function picture(row) {
  if (!row.thumbnail) return element("span", { class: "thumbnail" });
  return element("img", { class: "thumbnail", src: row.thumbnail, alt: "", loading: "lazy", width: 64, height: 64 });
}

const CELLS = [
  (row) => element("span", { class: `state state-${row.status}` }, status(row)),
  (row) => number(row.expected_dice, 2),
  (row) => volume(row),
  (row) => (row.slices == null ? "–" : row.revision == null ? String(row.slices) : t("of", { count: row.slices_with_lesion, all: row.slices })),
  (row) => element("ul", {}, ...warnings(row).map((text) => element("li", {}, text))),
  (row, on) => {
    const label = t("list_check_label", { name: row.name });
    const options = { type: "button", class: "check-button", "data-part": "check", "aria-pressed": String(row.checked), "aria-label": label };
    const none = row.revision == null || row.status === "removed";
    return none ? "" : element("button", { ...options, onclick: () => on.check(row) }, row.checked ? "✓" : " ");
  },
  (row, on) => {
    const button = (word, part, onclick, text) => {
      const label = t(`${word}_label`, { name: row.name });
      return element("button", { type: "button", "data-part": part, "aria-label": label, title: label, onclick }, text);
    };
    if (row.status === "removed") return button("list_bring_back", "remove", () => on.remove(row, false), t("list_bring_back"));
    const series = row.series.length > 1 ? button("list_series", "series", () => on.series(row), t("list_series")) : null;
    return element("span", { class: "more" }, series, button("list_remove", "remove", () => on.remove(row, true), "✕"));
  },
];

function status(row) {
  if (row.status === "checked" && row.corrected) return t("state_corrected_checked");
  if (row.status !== "running" || !row.slices) return t(`state_${row.status}`);
  return t("segmenting", { percent: Math.round((100 * row.slices_done) / row.slices) });
}

function volume(row) {
  if (row.lesion_mm3 != null) return `${(row.lesion_mm3 / 1000).toFixed(2)} ml`;
  return row.lesion_voxels == null ? "–" : t("list_voxels", { count: row.lesion_voxels.toLocaleString("en") });
}

// What a reader should know, in sentences.
function warnings(row) {
  const noted = new Set(row.notes.map((note) => note.code));
  const filled = row.filled.map((channel) => t(channel)).join(", ");
  return [
    ...row.faults.map((fault) => t("fault_of", inLanguage(fault))),
    ...(row.files_changed ? [t("list_files_changed")] : []),
    ...row.notes.map((note) => (note.translations && inLanguage(note).sentence) || note.sentence),
    ...row.flags.filter((code) => !noted.has(code)).map((code) => t(`flag_${code}`, { filled })),
  ];
}
