// The page of two time points: slices scrolled together, volumes, and what became of each lesion.
import { getJson, Refusal } from "../api.js";
import { onLanguage, t } from "../i18n.js";
import { element, header, showProblems } from "../page.js";
import { walking } from "../touch.js";
import { amount, bounds, likelyPair, percent, verdict } from "./words.js";

const $ = (id) => document.getElementById(id);
const SIDES = ["before", "after"];
let rows = [];
let found = null; // the comparison that is shown
let asked = 0;

header("/list");
for (const side of SIDES) $(side).addEventListener("change", compare);
$("swap").addEventListener("click", () => {
  [$("before").value, $("after").value] = [$("after").value, $("before").value];
  compare();
});
$("slice").addEventListener("input", showSlice);
$("outline").addEventListener("change", showSlice);
$("sides").addEventListener("wheel", wheel, { passive: false });
$("sides").addEventListener("pointerdown", touched);
window.addEventListener("keydown", pressed);
onLanguage(() => found && tell());
start();

async function start() {
  try {
    ({ rows } = await getJson("/api/worklist"));
    rows = rows.filter((row) => !["failed", "removed"].includes(row.status));
    for (const side of SIDES) $(side).replaceChildren(...rows.map((row) => element("option", { value: row.key }, row.name)));
    $("few").hidden = rows.length > 1;
    const wanted = new URLSearchParams(location.search);
    const pair = likelyPair(rows);
    if (!pair) return;
    SIDES.forEach((side, place) => {
      const named = rows.find((row) => row.key === wanted.get(side));
      $(side).value = (named ?? pair[place]).key;
    });
    await compare();
  } catch (error) {
    fail(error);
  } finally {
    document.documentElement.dataset.ready = "true";
  }
}

async function compare() {
  const [before, after] = SIDES.map((side) => $(side).value);
  const number = (asked += 1);
  $("problems").hidden = true;
  $("shown").hidden = true;
  if (before === after) {
    $("busy").textContent = t("followup_twice");
    return;
  }
  $("busy").textContent = t("followup_busy");
  history.replaceState(null, "", `?before=${before}&after=${after}`);
  try {
    const reply = await getJson(`/api/followup/${before}/${after}`);
    if (number !== asked) return; // another pair was chosen meanwhile
    found = { ...reply, keys: { before, after } };
    $("slice").max = reply.slices.length - 1;
    const largest = reply.lesions.find((each) => each.slice_after != null);
    $("slice").value = largest ? largest.slice_after : Math.floor(reply.slices.length / 2);
    tell();
    $("shown").hidden = false;
    showSlice();
  } catch (error) {
    if (number === asked) fail(error);
  } finally {
    if (number === asked) $("busy").textContent = "";
  }
}

function tell() {
  const { before, after, difference, share, lesions } = found;
  const unit = found.unit === "mm3" ? found.unit : t("voxels");
  for (const side of SIDES) $(`name-${side}`).textContent = rows.find((row) => row.key === found.keys[side])?.name ?? "";
  const facts = { difference: amount(Math.abs(difference.value), unit), percent: percent(share), bounds: bounds(difference, unit, true) };
  $("sentence").textContent = t(verdict(found), facts);
  const line = (word, each, signed) =>
    element("tr", {}, element("th", { scope: "row" }, t(word)), element("td", {}, amount(each.value, unit, signed)), element("td", {}, bounds(each, unit, signed)));
  $("volumes").tBodies[0].replaceChildren(line("followup_before", before), line("followup_after", after), line("followup_difference", difference, true));
  $("lesions").hidden = !lesions.length;
  $("lesions").tBodies[0].replaceChildren(
    ...lesions.map((each) =>
      element(
        "tr",
        {},
        element("th", { scope: "row", class: `fate-${each.fate}` }, t(`fate_${each.fate}`)),
        element("td", {}, each.before ? amount(each.before, unit) : "–"),
        element("td", {}, each.after ? amount(each.after, unit) : "–"),
        element("td", {}, element("button", { type: "button", onclick: () => go(each) }, t("followup_go"))),
      ),
    ),
  );
  tellPlaces();
}

function go({ slice_after: after, slice_before: before }) {
  $("slice").value = after ?? nearest(before);
  showSlice();
}

// The slice after whose neighbour before is this one.
function nearest(before) {
  const away = found.slices.map((each) => Math.abs(each - before));
  return away.indexOf(Math.min(...away));
}

function places() {
  const after = Number($("slice").value);
  return { after, before: found.slices[after] };
}

function showSlice() {
  const at = places();
  for (const side of SIDES) {
    const source = `/api/followup/${found.keys[side]}/slices/${at[side]}.png?outline=${$("outline").checked}`;
    if ($(`slice-${side}`).getAttribute("src") !== source) $(`slice-${side}`).src = source;
  }
  tellPlaces();
}

function tellPlaces() {
  const at = places();
  const counts = { before: found.slices_before, after: found.slices.length };
  for (const side of SIDES) {
    const text = t("followup_place", { number: at[side] + 1, count: counts[side] });
    $(`place-${side}`).textContent = text;
    $(`slice-${side}`).alt = `${t(`followup_${side}`)}: ${text}`;
  }
}

function step(by) {
  $("slice").value = Number($("slice").value) + by;
  showSlice();
}

function wheel(event) {
  event.preventDefault();
  step(event.deltaY > 0 ? 1 : -1);
}

// One finger goes through the slices; with two the browser zooms the page.
function touched({ pointerType, isPrimary, pointerId, clientY }) {
  if (pointerType !== "touch" || !isPrimary) return;
  const walk = walking(clientY, { height: $("sides").clientHeight, count: found.slices.length }, step);
  const ending = new AbortController();
  const on = (kind, listener) => $("sides").addEventListener(kind, (event) => event.pointerId === pointerId && listener(event), { signal: ending.signal });
  on("pointermove", (event) => walk(event.clientY));
  for (const kind of ["pointerup", "pointercancel"]) on(kind, () => ending.abort());
}

function pressed(event) {
  if (!found || $("shown").hidden || event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select")) return;
  const by = { ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1 }[event.key];
  if (!by) return;
  event.preventDefault();
  step(by);
}

function fail(error) {
  showProblems($("problems"), error);
  if (!(error instanceof Refusal)) throw error; // one of our own: the console says where
}
