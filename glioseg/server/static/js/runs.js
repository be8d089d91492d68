// Run folders: a table, and for one run its curves, DSC plot and patients.
import { getJson, post } from "./api.js";
import { bars, curve } from "./charts.js";
import { inLanguage, onLanguage, t } from "./i18n.js";
import { element, header, number, showProblems, table } from "./page.js";

// Scores that an evaluation has: their key by patient, and their word.
const SCORES = [["own/dice", "own"], ["reference", "reference"]];
// Pictures of an evaluation that show what this page draws.
const DRAWN = ["dsc.png", "dsc_reference.png"];
const narrow = matchMedia("(max-width: 600px)");
const content = document.getElementById("content");
const problems = document.getElementById("problems");
header("/runs");
onLanguage(show);
narrow.addEventListener("change", show);
show();

async function show() {
  const name = new URLSearchParams(location.search).get("run");
  try {
    if (name) one(await getJson(`/api/runs/${encodeURIComponent(name)}`));
    else all((await getJson("/api/runs")).runs);
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    showProblems(problems, error);
  }
}

export function line(score) {
  if (!score) return t("not_evaluated");
  return `${number(score.mean)} (${number(score.low)}–${number(score.high)}), ${t("median", { value: number(score.median) })}`;
}

function status(run) {
  return run.status ? t(`run_${run.status}`) : "–";
}

function all(runs) {
  if (!runs.length) {
    content.replaceChildren(element("p", { class: "card" }, t("no_runs")));
    return;
  }
  const words = ["run", "network", "status", "epochs", "split", "best_val", "own", "reference", "time"];
  const rows = runs.map((run) => [
    element("a", { href: `/runs?run=${encodeURIComponent(run.name)}` }, run.name),
    run.network ?? "–", status(run), run.epochs, run.split ?? "–", number(run.best_val_dsc),
    line(run.own), line(run.reference), (run.time ?? "").replace("T", " ").slice(0, 16),
  ]);
  content.replaceChildren(
    table(t("runs_title"), words.map((word) => t(word)), rows),
    element("p", { class: "small" }, t("interval_note")),
  );
}

function one(run) {
  const { patients } = run;
  const evaluated = run.columns.length > 0;
  const columns = evaluated ? run.columns : ["training_dsc"];
  const value = (each, column) => (evaluated ? each.scores[column] : each.training_dsc);
  const rows = patients.map((each) => [
    each.patient,
    ...columns.map((column) => number(value(each, column))),
    element("button", { type: "button", "aria-label": t("look_label", { patient: each.patient }), onclick: () => look(run.name, each.patient) }, t("look")),
  ]);
  // A class is called by its name.
  const heads = columns.map((column) => (column.startsWith("class/") ? `DSC, ${column.slice(6)}` : t(column.replace("own/", ""))));
  content.replaceChildren(
    element("p", {}, element("a", { href: "/runs" }, `← ${t("back_to_runs")}`)),
    element("h2", {}, run.name),
    element("p", {}, `${t("network")}: ${run.network} · ${t("status")}: ${status(run)} · ${t("split")}: ${run.split ?? "–"} · ${t("best_val")}: ${number(run.best_val_dsc)}`),
    element("p", { class: "small" }, element("code", {}, run.command ?? "")),
    evaluated ? element("ul", { class: "small" }, ...SCORES.map(([key, word]) => element("li", {}, `${t(word)}: ${line(run[word])}. ${inLanguage(run.protocols[key]).sentence}`))) : element("p", { class: "card" }, t("evaluate_hint")),
    element("h2", {}, t("curves")),
    element("div", { class: "charts" }, ...curves(run)),
    element("h2", {}, t(evaluated ? "dsc_plot" : "training_dsc")),
    element("div", { class: "charts wide" }, ...(evaluated ? SCORES.map(([key, word]) => plot(t(`protocol_${word}`), patients.map((each) => [each.patient, each.scores[key]]), run[word])) : [plot(t("training_dsc"), patients.map((each) => [each.patient, each.training_dsc]))])),
    element("p", { class: "small" }, evaluated ? t("dsc_lines") : ""),
    element("h2", {}, t("patients")),
    table(t("patients"), [t("patient"), ...heads, t("look")], rows),
    ...run.figures.filter((name) => !DRAWN.includes(name)).map((name) => picture(run, name)),
  );
}

function curves(run) {
  return ["loss", "val_loss", "val_dsc"].map((key) => {
    const drawn = run.curves[key] && curve(t(key), run.curves.epoch, run.curves[key], key === "val_dsc" ? [0, 1] : []);
    return drawn && element("figure", { class: "chart card" }, element("figcaption", {}, t(key)), drawn);
  });
}

// entries: [patient, value]; score: mean and median of them, once there is an evaluation.
function plot(title, entries, score) {
  if (!entries.length) return null;
  return element("figure", { class: "chart card" }, element("figcaption", {}, title), bars(title, entries, { mean: score?.mean, median: score?.median, narrow: narrow.matches }));
}

function picture(run, name) {
  const source = `/api/runs/${encodeURIComponent(run.name)}/figures/${encodeURIComponent(name)}`;
  return element("figure", { class: "card" }, element("figcaption", {}, name), element("img", { src: source, alt: name, loading: "lazy" }));
}

async function look(run, patient) {
  try {
    const scan = await post(`/api/runs/${encodeURIComponent(run)}/patients/${encodeURIComponent(patient)}`);
    location.href = `/?${new URLSearchParams({ scan: scan.id, run, patient })}`;
  } catch (error) {
    showProblems(problems, error);
  }
}
