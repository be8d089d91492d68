// The page of the work list.
import { put, Refusal } from "../api.js";
import { acceptDrops } from "../drop.js";
import { inLanguage, onLanguage, t } from "../i18n.js";
import { element, header, showProblems } from "../page.js";
import { SeriesForm } from "../series.js";
import { add } from "./add.js";
import { counts, keep, keepOrder, kept, KINDS, present, shown, sorted, SORTS } from "./order.js";
import { Rows } from "./rows.js";
import { Table } from "./table.js";

const $ = (id) => document.getElementById(id);
const PAGE = 50; // rows at a time
const CHOICE = "glioseg-list";
const choice = { by: "certainty", down: false, kind: "all", text: "", page: 0, ...kept(CHOICE) };
let order = []; // keys, as they stand now
const rows = new Rows({ onChange: refresh, onError: fail });
const table = new Table($("rows"), { open: () => keepOrder(order), check, sort, remove, series });
const seriesForm = new SeriesForm($("series"), chooseSeries);
let last = null; // the row that was removed last, or whose series are chosen

header("/list");
acceptDrops(document, addFiles);
for (const [id, name] of [["find", "text"], ["show", "kind"]]) {
  $(id).addEventListener("input", () => choose({ [name]: $(id).value, page: 0 }));
}
$("sort").addEventListener("input", () => {
  const [by, down] = $("sort").value.split(" ");
  choose({ by, down: Boolean(down), page: 0 });
});
$("start").addEventListener("click", start);
$("bring-back").addEventListener("click", () => remove(last, false));
$("page-back").addEventListener("click", () => choose({ page: choice.page - 1 }));
$("page-on").addEventListener("click", () => choose({ page: choice.page + 1 }));
$("format").addEventListener("change", () => ($("zip").href = `/api/worklist/masks?format=${$("format").value}`));
window.addEventListener("keydown", pressed);
onLanguage(words);
words();
rows.follow().then(() => (document.documentElement.dataset.ready = "true"));

function choose(change) {
  Object.assign(choice, change);
  keep(CHOICE, choice);
  arrange();
  show();
}

function sort(by) {
  choose({ by, down: choice.by === by && !choice.down, page: 0 });
}

function arrange() {
  order = sorted(shown(rows.all, choice), choice).map((row) => row.key);
}

// Rows do not move away below the pointer or the keyboard.
function refresh() {
  const held = $("rows").matches(":hover, :focus-within");
  const known = new Set(order);
  if (!held || rows.all.some((row) => !known.has(row.key) && shown([row], choice).length)) arrange();
  show();
}

function show() {
  const { all, faults } = rows;
  const pages = Math.max(1, Math.ceil(order.length / PAGE));
  choice.page = Math.min(Math.max(choice.page, 0), pages - 1);
  const first = choice.page * PAGE;
  $("list").hidden = !all.length && !faults.length;
  $("not-kept").hidden = rows.kept;
  table.show(order.slice(first, first + PAGE).map((key) => rows.byKey.get(key)), choice);
  $("nobody").hidden = order.length > 0 || rows.busy;
  $("pager").hidden = pages < 2;
  $("page-back").disabled = !first;
  $("page-on").disabled = choice.page >= pages - 1;
  $("page-place").textContent = t("list_page_place", { first: first + 1, last: Math.min(first + PAGE, order.length), count: order.length });
  $("start").disabled = !firstToRead();
  $("sort").value = choice.down ? `${choice.by} down` : choice.by;
  tellCounts(present(all));
  tellAside(faults);
}

function tellCounts(all) {
  const found = counts(all);
  const parts = ["segmented", "corrected", "checked", "waiting", "failed"].filter((kind) => found[kind]);
  const said = parts.map((kind) => t(`count_${kind}`, { count: found[kind] }));
  $("counts").textContent = [t(rows.finding ? "list_finding" : "list_count", { count: all.length }), ...said].join(" · ");
  $("done").hidden = !rows.busy;
  if (rows.busy && all.length) $("done").value = 1 - (found.waiting ?? 0) / all.length;
}

// What was found in the folders and is no scan.
function tellAside(faults) {
  $("aside").hidden = !faults.length;
  $("aside").querySelector("summary").textContent = t("list_aside", { count: faults.length });
  const items = faults.map(inLanguage).map((fault) => element("li", {}, element("strong", {}, fault.where), t("fault", fault)));
  $("aside").querySelector("ul").replaceChildren(...items);
}

// Words that are no text of an element alone.
function words() {
  const options = (values, word) => values.map((value) => element("option", { value }, t(word(value))));
  $("show").replaceChildren(...options(KINDS, (kind) => `list_kind_${kind}`));
  const directions = SORTS.flatMap((by) => (by === "number" ? [by] : [by, `${by} down`]));
  $("sort").replaceChildren(...options(directions, (value) => `sort_${value.replace(" ", "_")}`));
  $("show").value = choice.kind;
  $("sort").value = choice.down ? `${choice.by} down` : choice.by;
  $("find").value = choice.text;
  $("removed").firstElementChild.textContent = "";
  $("bring-back").hidden = true;
  show();
}

function firstToRead() {
  return order.find((key) => !["failed", "removed"].includes(rows.byKey.get(key).status) && !rows.byKey.get(key).checked);
}

function start() {
  const key = firstToRead();
  if (!key) return;
  keepOrder(order);
  location.assign(`/?row=${key}`);
}

async function check(row) {
  try {
    rows.set(await put(`/api/worklist/${row.key}`, { checked: !row.checked, revision: row.revision }));
    $("status").textContent = t(row.checked ? "list_unchecked_said" : "list_checked_said", { name: row.name });
  } catch (error) {
    fail(error);
    rows.follow();
  }
}

// Out of the list, or back into it; its files stay where they are.
async function remove(row, removed) {
  try {
    rows.set(await put(`/api/worklist/${row.key}/removed`, { removed }));
    last = row;
    $("removed").firstElementChild.textContent = t(removed ? "list_removed_said" : "list_brought_back_said", { name: row.name });
    $("bring-back").hidden = !removed;
    arrange();
    show();
    if (removed) $("bring-back").focus();
    else $("rows").querySelector(`tr[data-key="${row.key}"] a`)?.focus();
  } catch (error) {
    fail(error);
  }
}

// Which series of a study is which.
function series(row) {
  last = row;
  $("bring-back").hidden = true;
  $("removed").firstElementChild.textContent = "";
  $("series-dialog").showModal();
  seriesForm.show(row.series);
}

async function chooseSeries(chosen) {
  $("series-dialog").close();
  try {
    rows.set(await put(`/api/worklist/${last.key}/series`, { series: chosen }));
    rows.follow();
  } catch (error) {
    fail(error);
  }
}

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.matches("input, select")) return;
  if (document.querySelector("dialog[open]")) return;
  const key = event.key.toLowerCase();
  if (key === "n") start();
  const row = rows.byKey.get(document.activeElement?.closest("tr")?.dataset.key);
  if (key === "v" && row?.revision != null) check(row);
  if (key === "delete" && row && row.status !== "removed") remove(row, true);
}

async function addFiles(files) {
  $("problems").hidden = true;
  $("work").hidden = false;
  const tell = (share) => {
    $("work-text").textContent = share < 1 ? t("uploading", { percent: Math.round(100 * share) }) : t("list_looking");
    if (share < 1) $("work-bar").value = share;
    else $("work-bar").removeAttribute("value");
  };
  tell(0);
  try {
    const count = await add(files, tell);
    $("status").textContent = t("list_added", { count });
    await rows.follow();
  } catch (error) {
    fail(error);
  } finally {
    $("work").hidden = true;
  }
}

function fail(error) {
  showProblems($("problems"), error);
  if (!(error instanceof Refusal)) throw error; // one of our own: the console says where
}
