// The viewer page: from a dropped scan to its picture, numbers, corrections and downloads.
import { getJson, post, putBytes, Refusal, remove, upload } from "./api.js";
import { acceptDrops } from "./drop.js";
import { onLanguage, t } from "./i18n.js";
import { element, header, showProblems } from "./page.js";
import { showDownloads, showNumbers } from "./panel.js";
import { SeriesForm } from "./series.js";
import { Strip } from "./strip.js";
import { View } from "./view.js";

const $ = (id) => document.getElementById(id);
const CHANNELS = ["flair", "pre", "post", "rgb"];
const TOOLS = { window: "window_tool", pan: "pan_tool", brush: "brush", eraser: "eraser" };
const view = new View($("gl"), $("lines"));
const strip = new Strip($("strip"), (slice) => view.setSlice(slice));
let scan = null;
let numbers = null;
let stopping = null;
let files = []; // of the scan that is open: another choice of series sends them again
const seriesForm = new SeriesForm($("series"), openFiles);

header("/");
radios($("channels"), "channel", Object.fromEntries(CHANNELS.map((name) => [name, name])), chooseChannel);
radios($("tools"), "tool", TOOLS, chooseTool);
acceptDrops(document, (dropped) => {
  files = dropped;
  openFiles([]);
});
onLanguage(refreshTexts);
begin();

function radios(box, group, words, choose) {
  for (const [value, word] of Object.entries(words)) {
    const input = element("input", { type: "radio", name: group, value, id: `${group}-${value}`, onchange: () => choose(value) });
    box.append(element("label", { class: "check" }, input, element("span", { "data-t": word }, t(word))));
  }
}

async function begin() {
  try {
    const wanted = new URLSearchParams(location.search).get("scan");
    const { demo } = document.documentElement.dataset;
    if (wanted) open(() => getJson(`/api/scans/${encodeURIComponent(wanted)}`));
    else if (demo) openSample(demo);
    const { samples } = await getJson("/api/samples");
    $("samples").replaceChildren(
      ...samples.map(({ name }) => element("button", { type: "button", class: "sample", onclick: () => openSample(name) }, name)),
    );
    document.documentElement.dataset.started = "true";
  } catch (error) {
    fail(error);
  }
}

function openFiles(series) {
  open((signal) => upload(files, series, uploading, signal));
}

function openSample(name) {
  files = [];
  open((signal) => post(`/api/samples/${encodeURIComponent(name)}`, undefined, signal));
}

async function open(get) {
  stopping?.abort();
  const stop = (stopping = new AbortController());
  delete document.documentElement.dataset.ready;
  close();
  $("problems").hidden = true;
  seriesForm.hide();
  $("welcome").hidden = true;
  for (const id of ["stage", "slices", "panel"]) $(id).hidden = false;
  $("panel").inert = true;
  working(t("reading"));
  // Shaders compile beside an upload. They keep the page from all else: what is answered at once goes first.
  const starting = setTimeout(() => view.start().catch(() => {}), 150); // view.open says what is wrong
  try {
    scan = await get(stop.signal);
    clearTimeout(starting);
    working(t("loading"));
    $("scan-name").textContent = scan.name;
    delete $("scan-name").dataset.t;
    $("slice").max = scan.shape[0] - 1;
    strip.set({ predicted: [], true: null }, scan.shape[0]);
    const segmenting = scan.state === "done" ? getJson(`/api/scans/${scan.id}/numbers`) : segment(stop.signal);
    segmenting.catch(() => {}); // awaited below; until then a failure is not unhandled
    await view.open(scan);
    if (scan.state !== "done") view.draw();
    numbers = await segmenting;
    if (scan.state !== "done") scan = await getJson(`/api/scans/${scan.id}`);
    await showResult();
    await painted();
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    if (stop !== stopping) return;
    close();
    $("welcome").hidden = false;
    fail(error);
    if (error.series) seriesForm.show(error.series);
  } finally {
    if (stop === stopping) {
      $("work").hidden = true;
      stopping = null;
    }
  }
}

async function segment(signal) {
  const timer = setInterval(async () => {
    const info = scan && (await getJson(`/api/scans/${scan.id}`).catch(() => null));
    if (!info || signal.aborted || info.state === "done") return;
    if (info.state === "queued") working(t("waiting", { ahead: info.ahead }));
    if (info.state === "running") working(t("segmenting", { percent: Math.round(100 * info.progress) }), info.progress);
  }, 700);
  try {
    for (;;) {
      try {
        return await post(`/api/scans/${scan.id}/segment`, {}, signal);
      } catch (error) {
        if (!(error instanceof Refusal) || error.status !== 429) throw error;
        working(t("full", { seconds: error.retryAfter }));
        await new Promise((resolve) => setTimeout(resolve, 1000 * error.retryAfter));
        signal.throwIfAborted();
      }
    }
  } finally {
    clearInterval(timer);
  }
}

async function showResult() {
  view.hold();
  await view.loadMask("predicted");
  $("panel").inert = false;
  $("close-scan").hidden = false;
  $("channel-flair").checked = $("tool-window").checked = true;
  $("show-true").closest("label").hidden = !scan.truth;
  $("choose-series").hidden = !(files.length && scan.series.length > 1);
  $("show-heat").closest("label").hidden = !scan.probability;
  $("show-heat").checked = false;
  $("heat-row").hidden = true;
  for (const channel of scan.channels) $(`channel-${channel}`).disabled = scan.filled.includes(channel);
  for (const plane of ["multi", "render"]) $("planes").querySelector(`[value=${plane}]`).disabled = !scan.spacing;
  $("planes").value = "axial";
  const counts = numbers.per_slice.predicted;
  view.setSlice(counts.some(Boolean) ? counts.indexOf(Math.max(...counts)) : Math.floor(scan.shape[0] / 2));
  view.setShown("predicted", $("show-predicted").checked);
  view.draw();
  refreshTexts();
  $("slice").focus({ preventScroll: true });
}

// What was drawn stands on the screen a frame later; a page in the background has no frames.
function painted() {
  return document.hidden ? null : new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

function close() {
  if (scan) remove(`/api/scans/${scan.id}`).catch(() => {});
  scan = numbers = null;
  view.close();
  for (const id of ["stage", "slices", "panel", "close-scan"]) $(id).hidden = true;
  $("saved").textContent = "";
  $("scan-name").dataset.t = "no_scan";
  $("scan-name").textContent = t("no_scan");
}

function refreshTexts() {
  if (numbers) {
    showNumbers(numbers, $("numbers").tBodies[0], $("flags"), $("protocol"));
    strip.set(numbers.per_slice, scan.shape[0]);
    showDownloads(scan, $("downloads"));
  }
  if (scan) tellSlice(view.slice);
}

function working(text, share) {
  $("work").hidden = false;
  $("work-text").textContent = $("status").textContent = text;
  if (share == null) $("work-bar").removeAttribute("value");
  else $("work-bar").value = share;
}

function uploading(share) {
  if (share < 1) working(t("uploading", { percent: Math.round(100 * share) }), share);
  else working(t("reading"));
}

function fail(error) {
  if (error.name === "AbortError") return;
  showProblems($("problems"), error);
  if (!(error instanceof Refusal)) throw error; // one of our own: the console says where
}

function tellSlice(slice) {
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
  } catch (error) {
    fail(error);
  }
}

function chooseTool(tool) {
  view.setTool(tool);
  $("pen-row").hidden = tool !== "brush" && tool !== "eraser";
  view.setPenSize(Number($("pen-size").value));
}

let sent = Promise.resolve();

// One after the other, so that the last correction is the one that stays.
function corrected() {
  const { id } = scan;
  const mask = view.correctedMask();
  sent = sent.then(async () => {
    try {
      const found = await putBytes(`/api/scans/${id}/mask`, mask);
      if (scan?.id !== id) return;
      numbers = found;
      refreshTexts();
    } catch (error) {
      fail(error);
    } finally {
      changing(false);
    }
  });
}

// Nothing is downloaded or saved that is older than what is seen.
function changing(on) {
  $("downloads").inert = on;
  $("saved").textContent = on ? t("saving") : "";
}

// --- controls ---------------------------------------------------------------------------------

view.onSlice = (slice) => scan && tellSlice(slice);
view.onChanging = () => changing(true);
view.onCorrected = corrected;
view.onWindow = (low, high, channel) => {
  const bounds = scan?.windows[channel];
  if (!bounds) return;
  const range = bounds.high - bounds.low;
  $("level").value = ((low + high) / 2 - bounds.low) / range;
  $("width").value = (high - low) / range;
};

for (const id of ["level", "width"]) {
  $(id).addEventListener("input", () => {
    const { low, high } = scan.windows[view.channel];
    const middle = low + Number($("level").value) * (high - low);
    const half = (Number($("width").value) * (high - low)) / 2;
    view.setWindow(middle - half, middle + half);
  });
}
$("slice").addEventListener("input", () => view.setSlice(Number($("slice").value)));
$("show-predicted").addEventListener("change", (event) => view.setShown("predicted", event.target.checked));
$("show-true").addEventListener("change", (event) => view.setShown("true", event.target.checked));
$("fill").addEventListener("input", (event) => view.setFill(Number(event.target.value)));
$("planes").addEventListener("change", (event) => view.setPlanes(event.target.value));
$("pen-size").addEventListener("input", (event) => view.setPenSize(Number(event.target.value)));
$("zoom-in").addEventListener("click", () => view.zoomBy(1.25));
$("zoom-out").addEventListener("click", () => view.zoomBy(0.8));
$("zoom-reset").addEventListener("click", () => view.reset());
$("undo").addEventListener("click", () => view.undo());
$("work-cancel").addEventListener("click", () => stopping?.abort());
$("choose-series").addEventListener("click", () => seriesForm.show(scan.series));
$("close-scan").addEventListener("click", () => {
  close();
  seriesForm.hide();
  delete document.documentElement.dataset.ready;
  $("welcome").hidden = false;
  $("files").focus();
});

async function heat() {
  $("heat-row").hidden = !$("show-heat").checked;
  try {
    await view.setHeat($("show-heat").checked, Number($("heat-opacity").value));
  } catch (error) {
    fail(error);
  }
}
$("show-heat").addEventListener("change", heat);
$("heat-opacity").addEventListener("input", heat);

$("save").addEventListener("click", async () => {
  view.flush();
  await sent;
  try {
    $("saved").textContent = t("saved", await post(`/api/scans/${scan.id}/save`));
  } catch (error) {
    fail(error);
  }
});

$("stage").addEventListener(
  "wheel",
  (event) => {
    if (!scan || view.planes === "render") return;
    event.preventDefault();
    event.stopPropagation();
    if (event.ctrlKey) view.zoomBy(event.deltaY < 0 ? 1.1 : 1 / 1.1);
    else view.setSlice(view.slice + (event.deltaY < 0 ? 1 : -1));
  },
  { capture: true, passive: false },
);

const KEYS = {
  ArrowUp: () => view.setSlice(view.slice + 1),
  ArrowDown: () => view.setSlice(view.slice - 1),
  PageUp: () => view.setSlice(view.slice + 5),
  PageDown: () => view.setSlice(view.slice - 5),
  Home: () => view.setSlice(0),
  End: () => view.setSlice(view.count - 1),
  p: () => $("show-predicted").click(),
  t: () => scan.truth && $("show-true").click(),
  h: () => scan.probability && $("show-heat").click(),
  w: () => $("tool-window").click(),
  m: () => $("tool-pan").click(),
  b: () => $("tool-brush").click(),
  e: () => $("tool-eraser").click(),
  z: () => view.undo(),
  "+": () => view.zoomBy(1.25),
  "-": () => view.zoomBy(0.8),
  0: () => view.reset(),
  ...Object.fromEntries(CHANNELS.map((name, index) => [index + 1, () => $(`channel-${name}`).click()])),
};

window.addEventListener(
  "keydown",
  (event) => {
    const { target } = event;
    const moves = { range: /^(Arrow|Page|Home|End)/, "select-one": /^(Arrow|Page|Home|End|.$)/, radio: /^Arrow/ };
    const own = moves[target.type]?.test(event.key);
    if (!numbers || own || event.altKey || event.metaKey || (event.ctrlKey && event.key !== "z")) return;
    const action = KEYS[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (!action) return;
    event.preventDefault();
    event.stopPropagation(); // NiiVue has keys of its own on its canvas
    action();
  },
  true,
);
window.addEventListener("pagehide", () => scan && fetch(`/api/scans/${scan.id}`, { method: "DELETE", keepalive: true }));
window.gliosegView = view;
