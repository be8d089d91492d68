// The patient that is open, as one of the work list: the next, the one before, and whether the mask was checked.
import { getJson, post, put } from "../api.js";
import { onLanguage, t } from "../i18n.js";
import { keptOrder, present } from "./order.js";

const $ = (id) => document.getElementById(id);

export class Patients {
  // open(key): shows a patient; session(): the scan that is open, if its mask is there.
  constructor({ open, session, fail }) {
    Object.assign(this, { open, session, fail });
    this.order = [];
    this.at = null; // key of the patient that was asked for last
    this.row = null; // what the list says of the one that is open
    this.doing = Promise.resolve();
    $("patient-next").addEventListener("click", () => this.go(1));
    $("patient-previous").addEventListener("click", () => this.go(-1));
    $("patient-checked").addEventListener("click", () => this.check());
    $("to-list").addEventListener("click", (event) => {
      event.preventDefault();
      this._do(() => this._toList());
    });
    window.addEventListener("keydown", (event) => this._pressed(event), true);
    onLanguage(() => this.refresh());
  }

  // opened: the session that is shown now; one that is not of the list, or null, hides the bar.
  show(opened) {
    const key = opened?.listed ? opened.source.row : null;
    $("patient-bar").hidden = !key;
    if (this.row?.key !== key) this.row = null;
    if (!key) return;
    this.at = key;
    this._do(() => this._learn(key));
  }

  // Another mask than the one that was checked is not checked.
  refresh() {
    const open = this.session();
    if (this.row && open?.listed && open.source.row === this.row.key && open.revision !== this.row.revision) {
      this.row = { ...this.row, checked: false };
    }
    const place = this.order.indexOf(this.at);
    $("patient-place").textContent = place < 0 ? "" : t("patient_place", { place: place + 1, count: this.order.length });
    $("patient-previous").disabled = place <= 0;
    $("patient-checked").setAttribute("aria-pressed", String(Boolean(this.row?.checked)));
    $("patient-bar").dataset.checked = String(Boolean(this.row?.checked));
  }

  go(step) {
    this._do(async () => {
      const next = this.order[this.order.indexOf(this.at) + step];
      if (!next && step < 0) return;
      await this.session()?.sync.settled(); // whoever leaves a patient leaves it with the server
      if (!next) return this._toList();
      this.at = next;
      history.replaceState(null, "", `/?row=${next}`);
      await this.open(next);
      this.refresh();
    });
  }

  check() {
    this._do(async () => {
      const open = this.session();
      if (!open?.listed || !this.row) return;
      await open.sync.settled();
      this.row = await put(`/api/worklist/${this.row.key}`, { checked: !this.row.checked, revision: open.revision });
      this.refresh();
      $("status").textContent = t(this.row.checked ? "list_checked_said" : "list_unchecked_said", { name: this.row.name });
    });
  }

  async _learn(key) {
    const rows = present((await getJson("/api/worklist")).rows);
    this.order = keptOrder(rows);
    this.row = rows.find((row) => row.key === key) ?? null;
    this.refresh();
    // The next one is read while this one is looked at.
    const next = rows.find((row) => row.key === this.order[this.order.indexOf(key) + 1]);
    if (next?.revision != null) post(`/api/worklist/${next.key}/open`).catch(() => {}); // told when it is opened
  }

  async _toList() {
    await this.session()?.sync.settled();
    location.assign("/list");
  }

  // One after the other: keys come faster than replies.
  _do(work) {
    const done = this.doing.then(work);
    this.doing = done.catch(() => {});
    done.catch((error) => this.fail(error));
  }

  _pressed(event) {
    const key = event.key.toLowerCase();
    const takes = event.target.matches?.("input[type=text], input[type=number], input[type=search], select, textarea");
    if (!this.at || takes || event.ctrlKey || event.altKey || event.metaKey || event.repeat) return;
    if ($("patient-bar").hidden || document.querySelector("dialog[open]")) return;
    if (key === "n") this.go(event.shiftKey ? -1 : 1);
    else if (key === "v") this.check();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
