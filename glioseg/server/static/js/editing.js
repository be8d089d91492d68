// What is done to a mask and with it: strokes, undo and redo, sending, saving, downloads.
import { NETWORK } from "./history.js";
import { inLanguage, t } from "./i18n.js";
import { showDownloads } from "./panel.js";

const $ = (id) => document.getElementById(id);

export class Editing {
  // session(): the scan that is open, if its mask is there.
  constructor(view, { session, fail }) {
    Object.assign(this, { view, session, fail });
    view.onStroke = (begins) => this._stroke(begins);
    $("undo").addEventListener("click", () => this.undo());
    $("redo").addEventListener("click", () => this.redo());
    $("to-network").addEventListener("click", () => this._do((open) => open.toNetwork()));
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
    $("to-network").disabled = $("save").disabled = history.state === NETWORK;
    // The outline is the network's until a person has changed it.
    const word = history.state === NETWORK ? "predicted" : "corrected_outline";
    const label = $("show-predicted").closest("label").querySelector("span");
    label.dataset.t = word;
    label.textContent = t(word);
    showDownloads(open.scan, $("downloads"), (path, name, mask) => this._download(path, name, mask));
  }

  _stroke(begins) {
    const open = this.session();
    if (!open?.mask || open.mask !== this.view.mask) return;
    if (!begins) open.commit();
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
