// What is done to a mask and with it: strokes, undo and redo, sending, saving, downloads.
import { NETWORK } from "./history.js";
import { inLanguage, t } from "./i18n.js";
import { GIVEN } from "./learning/choice.js";
import { showDownloads } from "./panel.js";
import { fillBetween } from "./voxels/between.js";
import { smooth } from "./voxels/smooth.js";

const $ = (id) => document.getElementById(id);

export class Editing {
  // session(): the scan that is open, if its mask is there; labels: what is drawn with.
  constructor(view, { session, labels, fail }) {
    Object.assign(this, { view, session, labels, fail });
    this.onRefresh = () => {};
    view.onStroke = (begins, step) => this._stroke(begins, step);
    $("undo").addEventListener("click", () => this.undo());
    $("redo").addEventListener("click", () => this.redo());
    $("to-network").addEventListener("click", () => this._do((open) => open.toNetwork()));
    $("fill-between").addEventListener("click", () => this.fillBetween());
    $("smooth").addEventListener("click", () => this.smooth());
    $("save").addEventListener("click", () => this._save());
    $("retry").addEventListener("click", () => this.session()?.sync.flush().catch(() => {})); // tell() says why
    // The browser asks whether the page may go. It is kept, but a person should know that it is not saved.
    window.addEventListener("beforeunload", (event) => {
      const open = this.session();
      if (open && (open.unsaved || open.sync.busy)) event.preventDefault();
    });
  }

  undo() {
    this._do((open) => open.undo());
  }

  redo() {
    this._do((open) => open.redo());
  }

  // change(mask): touches slices of the mask and changes them. Gives whether there was a change; it is one step.
  change(kind, change) {
    const open = this.session();
    if (!open?.mask || open.mask !== this.view.mask || this.view.stroking) return false;
    change(open.mask);
    const positions = [...open.mask.touched.keys()];
    const changed = open.commit(kind);
    if (changed) this.view.refresh(positions);
    this.refresh();
    return changed;
  }

  // Only next to slices that a person has drawn on: what the network left empty between may be empty.
  fillBetween() {
    const drawn = new Set(this.session()?.history.touched());
    const done = this.change("fill", (mask) => fillBetween(mask, (z) => drawn.has(z), this.labels.current));
    $("edit-said").textContent = done ? "" : t("nothing_between");
  }

  smooth() {
    this.change("smooth", (mask) => smooth(mask, this.labels.current));
  }

  // Another scan is shown.
  begin() {
    $("saved").textContent = "";
    this.tell("idle");
  }

  // How far the server is with what was drawn.
  tell(state, error = null) {
    if (state === "failed") {
      const fault = error.faults?.[0] && inLanguage(error.faults[0]);
      $("unsent-text").textContent = t("unsent", { reason: fault ? `${fault.where}: ${fault.found}` : error.message });
    }
    $("unsent").hidden = state !== "failed";
    if (state === "waiting" || state === "sending") $("saved").textContent = t("saving");
    else if ($("saved").textContent === t("saving")) $("saved").textContent = "";
    $("panel").dataset.sync = state;
  }

  refresh() {
    const open = this.session();
    if (!open?.mask) return;
    const { history } = open;
    $("undo").disabled = !history.canUndo;
    $("redo").disabled = !history.canRedo;
    this.onRefresh(open);
    $("to-network").disabled = $("save").disabled = history.state === NETWORK;
    // The outline is the network's until a person has changed it.
    const own = open.scan.model === GIVEN ? "given_outline" : "predicted";
    const word = history.state === NETWORK ? own : "corrected_outline";
    const label = $("show-predicted").closest("label").querySelector("span");
    label.dataset.t = word;
    label.textContent = t(word);
    showDownloads(open.scan, $("downloads"), (path, name, mask) => this._download(path, name, mask));
  }

  _stroke(begins, { kind, ...facts } = {}) {
    const open = this.session();
    if (!open?.mask || open.mask !== this.view.mask) return;
    if (!begins) open.commit(kind, facts);
    open.sync.stroking(begins);
    this.refresh();
  }

  // In the middle of a stroke nothing else changes the mask.
  _do(change) {
    const open = this.session();
    if (!open?.mask || this.view.stroking) return;
    change(open);
    this.refresh();
  }

  async _save() {
    const open = this.session();
    try {
      const found = await open.save();
      if (this.session() === open) $("saved").textContent = t("saved", found);
    } catch (error) {
      this._refused(error, open);
    }
  }

  // mask: whether the file holds the mask, so that the corrections are not lost with this page.
  async _download(path, name, mask) {
    const open = this.session();
    try {
      const file = await open.file(path);
      const link = document.createElement("a");
      link.href = URL.createObjectURL(file.blob);
      link.download = name || file.name;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
      if (mask) open.saved();
    } catch (error) {
      this._refused(error, open);
    }
  }

  // What could not be sent is said beside the button that sends it again.
  _refused(error, open) {
    if (open.sync.state === "failed") $("retry").focus();
    else this.fail(error);
  }
}
