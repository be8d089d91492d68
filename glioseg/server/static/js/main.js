// The viewer page: scans are opened, kept and closed here.
import { getJson, Refusal, remove } from "./api.js";
import { connectControls, offerHeat, TOOL_KEYS } from "./controls.js";
import { Cursor } from "./cursor.js";
import { acceptDrops } from "./drop.js";
import { Editing } from "./editing.js";
import { FirstPicture, painted } from "./first.js";
import { onLanguage, t } from "./i18n.js";
import { askToLeave, currentKey, rememberKey, showKept, sweep } from "./kept.js";
import { ModelChoice } from "./learning/choice.js";
import { Labels } from "./labels.js";
import { LesionList } from "./lesions.js";
import { again, create, segment } from "./obtain.js";
import { element, header, radios, showProblems } from "./page.js";
import { showNumbers } from "./panel.js";
import { connectPrinting } from "./printing.js";
import { Reading } from "./reading.js";
import { Rulers } from "./rulers.js";
import { SeriesForm } from "./series.js";
import { isOutdated, Session, sourceOf } from "./session.js";
import { add, isLarge } from "./worklist/add.js";
import { Patients } from "./worklist/patients.js";
import { openStore } from "./store.js";
import { Strip } from "./strip.js";
import { ThresholdSlider } from "./threshold.js";
import { Tools } from "./tools.js";
import { View } from "./view.js";
import { middleOf } from "./voxels/regions.js";

const $ = (id) => document.getElementById(id);
const [IDLE, LARGE] = [500, 1 << 24]; // milliseconds until an idle page compiles its shaders; voxels that take a while
const CHANNELS = ["flair", "pre", "post", "rgb"];
const view = new View($("gl"), $("lines"));
const strip = new Strip($("strip"), (slice) => view.setSlice(slice));
let store = null;
let session = null; // the scan that is shown; its mask may still be coming
let last = null; // the last whose mask was there: whatever cannot be opened leads back to it
let stopping = null;
let dropped = []; // another choice of series sends them again
const labels = new Labels(view, { session: () => last, fail });
const editing = new Editing(view, { fail, labels, session: () => last });
const patients = new Patients({ open: openRow, session: () => last, fail });
const rulers = new Rulers(view);
const reading = new Reading(view);
const first = new FirstPicture($("first"));
const lesions = new LesionList(view);
const tools = new Tools(view, { editing, labels, rulers: rulers.tools, fail });
const cursor = new Cursor(view, { tools, labels });
const threshold = new ThresholdSlider(view, editing, { session: () => last, fail });
const model = new ModelChoice({ session: () => last, again: segmentAgain, fail });
const seriesForm = new SeriesForm($("series"), (series) => open({ kind: "files", files: dropped, series }));

header("/");
radios($("channels"), "channel", Object.fromEntries(CHANNELS.map((name) => [name, name])), chooseChannel);
radios($("tools"), "tool", Object.fromEntries(Object.values(TOOL_KEYS).map((tool) => [tool, `tool_${tool}`])), (tool) => tools.choose(tool));
connectControls(view, { session: () => last, channels: CHANNELS, editing, labels, tools, cursor, threshold, rulers, reading, fail });
connectPrinting(view, $("paper"));
acceptDrops(document, (files) => {
  if (isLarge(files)) return addToList(files);
  dropped = files;
  open({ kind: "files", files, series: [] });
});
view.onSlice = (slice) => session && tellSlice(slice);
$("work-cancel").addEventListener("click", () => stopping?.abort());
$("choose-series").addEventListener("click", () => {
  dropped = last.source.files;
  seriesForm.show(last.scan.series);
});
$("close-scan").addEventListener("click", closeScan);
for (const told of [refreshTexts, listKept]) onLanguage(told);
begin();

async function begin() {
  try {
    store = await openStore();
    await sweep(store);
    const wanted = new URLSearchParams(location.search);
    const [id, row] = [wanted.get("scan"), wanted.get("row")];
    const { demo } = document.documentElement.dataset;
    const record = await store?.get(currentKey() ?? "").catch(() => null);
    if (record && record.link === (id ?? (row && rowLink(row)))) resume(record);
    else if (row) openRow(row);
    else if (id) {
      const [run, patient] = [wanted.get("run"), wanted.get("patient")];
      open(run && patient ? { kind: "run", run, patient } : { kind: "id", id }, { id, link: id });
    } else if (demo) openSample(demo);
    else listKept();
    const { samples } = await getJson("/api/samples");
    $("samples").replaceChildren(
      ...samples.map(({ name }) => element("button", { type: "button", class: "sample", onclick: () => openSample(name) }, name)),
    );
    document.documentElement.dataset.started = "true";
    setTimeout(() => session || stopping || view.start().catch(() => {}), IDLE); // view.open says what is wrong
  } catch (error) {
    fail(error);
  }
}

// What is too large for one message goes to the work list, whose messages are as many as needed.
async function addToList(files) {
  try {
    await add(files, (share) => progress("uploading", { percent: Math.round(100 * share) }, share));
    location.assign("/list");
  } catch (error) {
    $("work").hidden = true;
    fail(error);
  }
}

// The scan that is open once more, perhaps by another model; the page shows how far it is.
async function segmentAgain(choice) {
  const open = last;
  if (!open || stopping) return;
  const stop = (stopping = new AbortController());
  $("problems").hidden = true;
  progress("segmenting", { percent: 0 });
  try {
    await open.segmentAgain(stop.signal, choice);
    refreshTexts();
    await view.forget("probability");
  } catch (error) {
    fail(error);
  } finally {
    if (stop === stopping) {
      $("work").hidden = true;
      stopping = null;
    }
  }
}

function openSample(name) {
  open({ kind: "sample", name });
}

const rowLink = (row) => `row ${row}`;

// A patient of the work list.
async function openRow(row) {
  await open({ kind: "row", row }, { link: rowLink(row) });
}

// A scan that this browser kept.
async function resume(record) {
  try {
    await open(await sourceOf(record, store), { id: record.id, link: record.link, record });
  } catch (error) {
    fail(error);
  }
}

// source: see obtain.js; id: of a scan that the server may still have; record: what this browser kept of it.
async function open(source, { id = null, link = null, record = null } = {}) {
  stopping?.abort();
  const stop = (stopping = new AbortController());
  delete document.documentElement.dataset.ready;
  $("problems").hidden = true;
  seriesForm.hide();
  if (!last) {
    showStage(true);
    first.ahead(source.files ?? []);
  }
  progress("reading");
  // Shaders compile beside an upload. They keep the page from all else: what is answered at once goes first.
  const starting = setTimeout(() => view.start().catch(() => {}), 150); // view.open says what is wrong
  const options = { signal: stop.signal, onProgress: (...said) => stop === stopping && progress(...said) };
  let opened = null;
  try {
    const scan = await (id ? again(id, source, options) : create(source, options));
    clearTimeout(starting);
    stop.signal.throwIfAborted();
    if (!scan.id) return location.assign("/list"); // they were several
    // Only now, since what cannot be opened closes nothing.
    if (last && !(await askToLeave(last))) {
      remove(`/api/scans/${scan.id}`).catch(() => {});
      return;
    }
    if (record && isOutdated(record, scan)) record = null;
    opened = new Session({ scan, source, record, store, link, on: listeners(() => opened) });
    await present(opened, options, record);
    if (stop !== stopping) return;
    const before = last;
    last = opened;
    await showResult(opened);
    if (before) retire(before);
    rememberKey(opened.key);
    if (!link) history.replaceState(null, "", "/");
    patients.show(opened);
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    opened?.close();
    if (stop !== stopping) return;
    await goBack();
    fail(error);
    if (error.series) seriesForm.show(error.series);
  } finally {
    clearTimeout(starting);
    if (stop === stopping) {
      $("work").hidden = true;
      stopping = null;
      if (last) document.documentElement.dataset.ready = "true";
    }
  }
}

// What a session tells this page, as long as it is the one that is shown.
function listeners(which) {
  const shown = (call) => (...values) => which() === session && call(...values);
  return {
    numbers: shown(refreshTexts),
    state: shown((state, error) => editing.tell(state, error)),
    mask: shown((positions) => view.refresh(positions)),
    kept: shown((yes) => ($("kept-note").hidden = yes)),
    progress: shown((word, ...more) => (word ? progress(word, ...more) : ($("work").hidden = true))),
  };
}

async function present(opened, options, record) {
  const { scan } = opened;
  session = opened;
  showStage(true);
  progress("loading");
  nameScan(scan);
  strip.set({ predicted: [], true: null }, scan.shape[0]);
  await first.of(scan);
  const done = scan.state === "done";
  for (const layer of ["flair", scan.truth && !opened.truthLabels && "true", done && "network"]) if (layer) opened.expect(layer);
  await painted();
  if (opened.truthLabels && scan.truth_labels.length) await opened.sendTruthLabels();
  // What is large comes to the screen first: the network would take the processor from it.
  const large = scan.shape.reduce((product, side) => product * side) > LARGE;
  const coming = view.open(scan, (name) => opened.take(name));
  if (large) await coming;
  const numbering = done ? getJson(`/api/scans/${scan.id}/numbers`) : segment(scan.id, { ...options, choice: opened.choice });
  numbering.catch(() => {}); // awaited below; until then a failure is not unhandled
  await coming;
  if (!done || large) {
    view.draw();
    first.hide();
  }
  if (scan.truth) view.setTruth(await opened.takeMask("true"));
  await opened.begin(await numbering, record);
  options.signal.throwIfAborted();
}

function nameScan(scan) {
  $("scan-name").textContent = scan.name;
  delete $("scan-name").dataset.t;
  $("slice").max = scan.shape[0] - 1;
}

async function showResult({ scan, source, mask, numbers }) {
  view.hold();
  labels.refresh(session);
  view.setMask(mask);
  $("panel").inert = false;
  $("close-scan").hidden = session.listed; // the way from there is the list
  $("channel-flair").checked = $("tool-window").checked = true;
  tools.choose("window");
  rulers.clear();
  cursor.hide();
  reading.begin();
  $("show-true").closest("label").hidden = !scan.truth;
  $("choose-series").hidden = !(source.files?.length && scan.series.length > 1);
  $("show-heat").checked = false;
  $("heat-row").hidden = true;
  for (const channel of scan.channels) $(`channel-${channel}`).disabled = scan.filled.includes(channel);
  for (const plane of ["multi", "render"]) $("planes").querySelector(`[value=${plane}]`).disabled = !scan.spacing;
  $("planes").value = "axial";
  const counts = numbers.per_slice.predicted;
  view.goTo(middleOf(mask, counts.some(Boolean) ? counts.indexOf(Math.max(...counts)) : Math.floor(scan.shape[0] / 2)));
  view.setShown("predicted", $("show-predicted").checked);
  view.draw();
  first.hide();
  $("kept-note").hidden = session.kept;
  editing.begin();
  refreshTexts();
  $("slice").focus({ preventScroll: true });
  await painted();
}

// Another scan could not be opened: the one before is still there, with everything that was drawn.
async function goBack() {
  if (!last) return closeStage();
  if (session === last) return;
  session = last;
  nameScan(last.scan);
  await view.open(last.scan, (name) => last.take(name));
  if (last.scan.truth) view.setTruth(await last.takeMask("true"));
  await showResult(last);
  editing.tell(last.sync.state, last.sync.failure);
}

// A scan that is left: what is not saved stays in this browser, all else goes.
function retire(left) {
  if (left.listed && !left.unsaved) return left.drop(); // the server keeps it in its list
  if (left.unsaved && !left.discarded) left.close();
  else left.drop();
  const mayReturn = left.source.kind === "id" && left.unsaved && !left.discarded;
  if (!mayReturn) remove(`/api/scans/${left.scan.id}`).catch(() => {});
}

async function closeScan() {
  if (!last || !(await askToLeave(last))) return;
  stopping?.abort();
  stopping = null;
  $("work").hidden = true;
  const left = last;
  last = null;
  await left.writing;
  retire(left);
  rememberKey(null);
  history.replaceState(null, "", "/");
  closeStage();
  seriesForm.hide();
  $("files").focus();
}

function showStage(yes) {
  for (const id of ["stage", "slices", "panel"]) $(id).hidden = !yes;
  $("welcome").hidden = yes;
  $("panel").inert = true;
}

function closeStage() {
  session = null;
  first.hide();
  view.close();
  showStage(false);
  patients.show(null);
  $("close-scan").hidden = true;
  $("saved").textContent = "";
  $("scan-name").dataset.t = "no_scan";
  $("scan-name").textContent = t("no_scan");
  delete document.documentElement.dataset.ready;
  listKept();
}

async function listKept() {
  if (session) return;
  const forget = async (record) => {
    await store.remove(record.key);
    if (currentKey() === record.key) rememberKey(null);
    listKept();
  };
  const goOn = (record) => resume({ ...record, link: null }); // from here, and not from the address it once had
  await showKept(store, { box: $("kept"), open: goOn, forget });
}

function refreshTexts() {
  if (session?.numbers && session.mask) {
    const { numbers, scan } = session;
    labels.refresh(session);
    offerHeat(view, scan.probability);
    showNumbers(numbers, $("numbers").tBodies[0], $("flags"), $("protocol"));
    strip.set(numbers.per_slice, scan.shape[0]);
    lesions.refresh(session);
    editing.refresh();
    patients.refresh();
    model.refresh();
  }
  if (session) tellSlice(view.slice);
}

// word: names what is being done; share: how much of it is done, if that is known.
function progress(word, values = {}, share = null) {
  $("work").hidden = false;
  $("work-text").textContent = $("status").textContent = t(word, values);
  if (share == null) $("work-bar").removeAttribute("value");
  else $("work-bar").value = share;
}

function fail(error) {
  if (error.name === "AbortError") return;
  showProblems($("problems"), error);
  if (!(error instanceof Refusal)) throw error; // one of our own: the console says where
}

function tellSlice(slice) {
  const { scan } = session;
  const number = scan.slice_numbers[slice];
  $("slice").value = slice;
  const text = t("slice_of", { number, position: slice + 1, count: scan.shape[0] });
  $("slice-text").textContent = text;
  $("slice").setAttribute("aria-valuetext", text);
  $("slice-badge").textContent = number;
  strip.mark(slice);
}

async function chooseChannel(name) {
  try {
    await view.setChannel(name);
    for (const id of ["level", "width"]) $(id).disabled = view.wanted === "rgb";
    tools.refresh();
    reading.tellFacts();
  } catch (error) {
    if (view.wanted === name) $(`channel-${(view.wanted = view.channel)}`).checked = true; // it is still the one before
    fail(error);
  }
}
window.gliosegView = view;
