// One scan that is open: its mask, the history of the mask, and that browser and server keep both.
import { getBytes, getFile, getJson, patchSlices, post, put, Refusal } from "./api.js";
import { History, NETWORK } from "./history.js";
import { t } from "./i18n.js";
import { GIVEN } from "./learning/choice.js";
import { encodeSlices, fillRuns, Mask, sameRuns } from "./mask.js";
import { create, isGone, segment } from "./obtain.js";
import { Sync } from "./sync.js";
import { translation } from "./voxels/labels.js";

const HEADER = 352; // bytes before the voxels of a view layer
const SOON = 5; // seconds until a lost server is tried again

// What tells a scan from another one in its place: files that were changed, other series of a study.
export function contentOf({ shape, series }) {
  return JSON.stringify([shape, series.map(({ key, sequence }) => [key, sequence])]);
}

// Whether what a browser kept is of another scan, or, all of it having reached the work list, older than the mask there,
// which somebody else made since.
export function isOutdated({ content, source, unsaved, revision }, scan) {
  if (content && content !== contentOf(scan)) return true;
  return source.kind === "row" && !unsaved && scan.revision > revision;
}

export class Session {
  // source: see obtain.js; record: what the store kept of it, if it did; store: may be null.
  // on: {numbers, state, mask(slices), kept(yes)}, each called when that has changed.
  constructor({ scan, source, record, store, link = null, on }) {
    Object.assign(this, { scan, source, store, on });
    this.key = record?.key ?? randomKey();
    this.revision = record?.revision ?? null;
    this.savedState = record?.savedState ?? NETWORK;
    this.truthLabels = record?.truthLabels ?? null;
    this.given = record?.given ?? false; // whether the mask that came with the scan is what is corrected
    this.link = link; // the address that this page was opened with
    this.history = new History(record ?? {});
    this.base = record?.base ?? null; // the network's mask, coded, once there are steps
    this.content = contentOf(scan);
    this.labels = record?.labels ?? scan.labels; // of the mask and of all steps
    this.layers = {};
    this.numbers = null;
    this.kept = Boolean(store);
    this.writing = Promise.resolve();
    this.sync = new Sync({
      send: (positions) => this._send(positions),
      onNumbers: (numbers) => this._numbers(numbers),
      onState: (state, error) => on.state(state, error),
      again: (error) => (error.status === 0 || error.status === 503 ? SOON : null),
    });
  }

  // Corrections that are neither saved nor downloaded; of the work list, those that the server does not have.
  get unsaved() {
    const { state } = this.history;
    return state !== this.savedState && (this.listed || state !== NETWORK);
  }

  // Whether the work list keeps its corrections.
  get listed() {
    return this.source.kind === "row";
  }

  // What the server is to make the mask of, if that is no model.
  get choice() {
    return this.given ? { model: GIVEN } : null;
  }

  get count() {
    return this.scan.shape[0];
  }

  // Ask the server about this scan; if it has forgotten it, give it the scan again first.
  async ask(call) {
    try {
      return await call(this.scan.id);
    } catch (error) {
      if (!isGone(error) || this.source.kind === "id") throw error;
      await this.bringBack();
      return call(this.scan.id);
    }
  }

  // A layer of the picture that will be needed is asked for as early as possible.
  expect(name) {
    this.layers[name] ??= this.ask((id) => getBytes(`/api/scans/${id}/view/${name}`));
    this.layers[name].catch(() => {}); // whoever takes it meets the failure
  }

  take(name) {
    this.expect(name);
    const coming = this.layers[name];
    delete this.layers[name];
    return coming;
  }

  async takeMask(name) {
    return new Uint8Array(await this.take(name), HEADER);
  }

  async sendTruthLabels() {
    this.scan = await put(`/api/scans/${this.scan.id}/truth`, { labels: this.truthLabels });
  }

  // Labels of the true mask that are the lesion.
  async chooseTruth(labels) {
    this.scan = await this.ask((id) => put(`/api/scans/${id}/truth`, { labels }));
    this.truthLabels = labels;
    const truth = await this.takeMask("true");
    this._numbers(await this.ask((id) => getJson(`/api/scans/${id}/numbers`)));
    return truth;
  }

  // The network's mask is there: everything that was corrected comes upon it.
  async begin(numbers, record) {
    this.scan = await getJson(`/api/scans/${this.scan.id}`);
    this.numbers = numbers;
    const voxels = await this.takeMask("network");
    this.mask = new Mask(new Uint8Array(voxels), this.scan.shape);
    if (record && this.store) this.history.steps = await this.store.steps(this.key);
    const { history, mask } = this;
    history.position = Math.min(history.position, history.steps.length);
    this._translate();
    if (history.steps.length) await this._adopt(voxels); // only another network can have made another mask
    else this.base = await mask.encode();
    if (history.steps.length) {
      for (const step of history.steps.slice(0, history.position)) mask.apply(step);
    } else if (this.scan.corrected) {
      // This browser does not know how it came to that, but the server has it.
      mask.touch(0, this.count - 1);
      mask.voxels.set(await this.takeMask("predicted"));
      const step = mask.commit();
      if (step) history.push(step);
      if (this.listed) this.savedState = history.state;
    }
    this.revision = numbers.revision;
    // What this browser kept may be newer than what reached the server.
    if (history.steps.length) await this.sendAll();
    await this._write((store) => store.putSteps(this._record(), history.steps));
    this._keepFiles();
  }

  // A stroke, or what another tool did to the mask, becomes a step. facts: what else the step should know.
  commit(kind, facts = {}) {
    const step = this.mask.commit(kind);
    if (!step) return false;
    const made = this.history.push({ ...facts, ...step });
    this._changed(step.slices.map(({ z }) => z), (store) => store.addStep(this._record(), this.history.position - 1, made));
    return true;
  }

  undo() {
    this._step(this.history.undo(), true);
  }

  redo() {
    this._step(this.history.redo(), false);
  }

  // Back to the network's mask: a step like others, which can be taken back.
  toNetwork() {
    if (this.history.state === NETWORK) return;
    const positions = this.history.touched();
    for (const z of positions) {
      this.mask.touch(z, z);
      fillRuns(this.mask.voxels, z * this.mask.size, this.mask.size, this.base[z]);
    }
    if (this.commit("network")) this.on.mask(positions);
  }

  // Send the whole mask.
  async sendAll() {
    this.revision = null;
    this.sync.changed(Array.from({ length: this.count }, (_, z) => z));
    await this.sync.settled();
  }

  // A file of the mask as it is drawn: whatever was drawn goes to the server first, and the server gives out no
  // other mask. path: behind the address of the scan.
  file(path) {
    return this._whenSettled((id, revision) => getFile(`/api/scans/${id}/${path}${path.includes("?") ? "&" : "?"}revision=${revision}`));
  }

  // Into the folder of corrected cases.
  async save() {
    const found = await this._whenSettled((id, revision) => post(`/api/scans/${id}/save?revision=${revision}`));
    await this.saved();
    return found;
  }

  async _whenSettled(call) {
    for (let attempt = 0; ; attempt++) {
      await this.sync.settled();
      const { state } = this.history;
      try {
        const found = await call(this.scan.id, this.revision);
        // What was drawn meanwhile is not in it.
        if (state === this.history.state || attempt >= 2) return found;
      } catch (error) {
        if (attempt >= 2) throw error;
        if (isGone(error) && this.source.kind !== "id") await this.bringBack();
        else if (error.faults?.[0]?.code === "server.mask_changed") await this.sendAll();
        else throw error;
      }
    }
  }

  // What is drawn has left this page as a file or a corrected case.
  saved() {
    this.savedState = this.history.state;
    return this._write((store) => store.put(this._record()));
  }

  // The server has forgotten the scan, or another one has come to its place.
  bringBack() {
    this.returning ??= this._bringBack().finally(() => (this.returning = null));
    return this.returning;
  }

  async _bringBack() {
    const { source, on } = this;
    const scan = await create(source, { onProgress: on.progress });
    if (contentOf(scan) !== this.content) {
      throw new Refusal(409, [{ where: scan.name, expected: t("same_scan"), found: t("other_scan"), cure: t("reload") }]);
    }
    this.scan = scan;
    if (this.truthLabels) await this.sendTruthLabels();
    const numbers = scan.state === "done" ? null : await segment(scan.id, { choice: this.choice, onProgress: on.progress });
    this.scan = await getJson(`/api/scans/${scan.id}`);
    this.revision = numbers?.revision ?? this.scan.revision;
    on.progress(null);
    if (!this.mask) return;
    this._translate(this.mask);
    if (await this._adopt(await this.takeMask("network"))) on.mask(Array.from({ length: this.count }, (_, z) => z));
    // In one message with whatever waits: all slices, as they are now.
    for (let z = 0; z < this.count; z++) this.sync.pending.add(z);
    this.sync.changed([]);
    await this._write((store) => store.putSteps(this._record(), this.history.steps));
  }

  // The server's mask may have other labels by now than what this page knows of it. mask: as far as that is of before.
  _translate(mask = null) {
    const table = translation(this.labels, this.scan.labels);
    this.labels = this.scan.labels;
    if (!table) return;
    mask?.voxels.forEach((value, at, voxels) => (voxels[at] = table[value]));
    const places = (codes, size, of) => codes.forEach((code, at) => of.includes(at % size) && (codes[at] = table[code]));
    for (const runs of this.base ?? []) places(runs, 3, [2]);
    for (const { slices } of this.history.steps) for (const { changes } of slices) places(changes, 4, [2, 3]);
  }

  // The server's network may be another one by now: its mask lies beneath what was corrected. Whether it is.
  async _adopt(voxels) {
    const { mask, history, base: before } = this;
    const network = new Mask(new Uint8Array(voxels), this.scan.shape);
    this.base = await network.encode();
    const other = this.base.map((runs, z) => (sameRuns(runs, before[z]) ? -1 : z)).filter((z) => z >= 0);
    if (!other.length) return false;
    for (const z of other) {
      network.touch(z, z);
      fillRuns(network.voxels, z * network.size, network.size, before[z]);
    }
    const step = network.commit();
    if (history.steps.length) history.rebase(step);
    else mask.apply(step, true);
    return true;
  }

  // Once more, perhaps by another model; choice: see obtain.js. Voxels that were corrected stay as they are, as one step.
  async segmentAgain(signal, choice) {
    const { history, mask } = this;
    await this.sync.settled();
    const numbers = await this.ask((id) => segment(id, { signal, choice, onProgress: this.on.progress }));
    this.scan = await getJson(`/api/scans/${this.scan.id}`);
    this.given = choice?.model === GIVEN;
    this._translate(mask);
    this.revision = numbers.revision;
    const network = await this.takeMask("network");
    const own = mask.voxels.slice();
    for (let z = 0; z < this.count; z++) fillRuns(mask.voxels, z * mask.size, mask.size, this.base[z]);
    const corrected = own.map((value, at) => (value === mask.voxels[at] ? 0 : 1));
    mask.voxels.set(network);
    this.base = await mask.encode(async () => {}); // without a turn for the page: it would show half of it
    mask.touch(0, this.count - 1);
    own.forEach((value, at) => corrected[at] && (mask.voxels[at] = value));
    const step = mask.commit();
    Object.assign(history, { steps: [], position: 0 });
    if (step) history.push(step);
    this.on.mask(Array.from({ length: this.count }, (_, z) => z));
    this._numbers(numbers);
    if (step) await this.sendAll();
    await this._write((store) => store.putSteps(this._record(), history.steps));
  }

  _step(step, back) {
    if (!step) return;
    const positions = this.mask.apply(step, back);
    this.on.mask(positions);
    this._changed(positions, (store) => store.put(this._record()));
  }

  _changed(positions, write) {
    this.sync.changed(positions);
    this._write(write);
  }

  async _send(positions) {
    const { scan, mask, revision } = this;
    const body = encodeSlices(mask.voxels, mask.size, positions);
    this.sentState = this.history.state;
    const query = revision == null ? "" : `?revision=${revision}`;
    try {
      return await patchSlices(`/api/scans/${scan.id}/mask${query}`, body);
    } catch (error) {
      if (error.faults?.[0]?.code === "server.mask_changed") {
        // Another page has changed the mask: what is drawn here holds.
        this.revision = null;
        return this._send(Array.from({ length: this.count }, (_, z) => z));
      }
      if (!isGone(error) || this.source.kind === "id") throw error;
      await this.bringBack();
      this.sync.pending.clear(); // all of it goes in this message
      return this._send(Array.from({ length: this.count }, (_, z) => z));
    }
  }

  _numbers(numbers) {
    this.numbers = numbers;
    this.revision = numbers.revision;
    if (this.listed) this.savedState = this.sentState ?? this.savedState;
    this._write((store) => store.put(this._record()));
    this.on.numbers(numbers);
  }

  _record() {
    const { key, base, labels, given, content, revision, savedState, truthLabels, link, scan, source } = this;
    const { position, last } = this.history;
    const { files, ...origin } = source;
    const facts = { name: scan.name, id: scan.id, changed: Date.now(), unsaved: this.unsaved };
    return { key, base, labels, given, content, revision, savedState, truthLabels, link, position, last, source: origin, ...facts };
  }

  // One after the other; a browser that has no room or keeps nothing is said once.
  _write(write) {
    if (!this.store || this.dropped) return Promise.resolve();
    this.writing = this.writing
      .then(() => !this.dropped && write(this.store))
      .catch(() => {
        this.kept = false;
        this.on.kept(false);
      });
    return this.writing;
  }

  _keepFiles() {
    if (this.source.kind !== "files") return;
    const files = this.source.files.map((file) => ({ file, path: file.path || file.webkitRelativePath || file.name }));
    this._write((store) => store.putFiles(this.key, files));
  }

  // Nothing of it stays in this browser.
  drop() {
    this.close();
    this.dropped = true;
    return this.writing.then(() => this.store?.remove(this.key)).catch(() => {});
  }

  close() {
    this.sync.close();
  }
}

// A source as it was kept, with its files.
export async function sourceOf(record, store) {
  const { source } = record;
  if (source.kind !== "files") return source;
  const kept = (await store.files(record.key)) ?? [];
  return { ...source, files: kept.map(({ file, path }) => Object.assign(file, { path })) };
}

function randomKey() {
  return [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}
