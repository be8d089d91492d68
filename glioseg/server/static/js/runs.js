// Run folders: a table, and for one run its curves, DSC plot and patients.
import { getJson, post } from "./api.js";
import { bars, curve } from "./charts.js";
import { onLanguage, t } from "./i18n.js";
import { element, header, number, showProblems } from "./page.js";

const content = document.getElementById("content");
const problems = document.getElementById("problems");
header("/runs");
onLanguage(show);
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

function row(tag, cells) {
  return element("tr", {}, ...cells.map((cell) => (cell instanceof HTMLElement && cell.tagName === "TH" ? cell : element(tag, tag === "th" ? { scope: "col" } : {}, cell))));
}

function table(caption, head, rows) {
  const made = element(
    "table",
    {},
    element("caption", { class: "hidden-text" }, caption),
    element("thead", {}, row("th", head)),
    element("tbody", {}, ...rows.map((cells) => row("td", cells))),
  );
  return element("div", { class: "scroll card", tabindex: "0", role: "region", "aria-label": caption }, made);
}

function all(runs) {
  if (!runs.length) {
    content.replaceChildren(element("p", { class: "card" }, t("no_runs")));
    return;
  }
  const words = ["run", "network", "status", "epochs", "split", "best_val", "own", "reference", "time"];
  const rows = runs.map((run) => [
    element("th", { scope: "row" }, element("a", { href: `/runs?run=${encodeURIComponent(run.name)}` }, run.name)),
    run.network ?? "–", run.status ?? "–", run.epochs, run.split ?? "–", number(run.best_val_dsc),
    line(run.own), line(run.reference), (run.time ?? "").replace("T", " ").slice(0, 16),
  ]);
  content.replaceChildren(
    table(t("runs_title"), words.map((word) => t(word)), rows),
    element("p", { class: "small" }, t("interval_note")),
  );
}

function one(run) {
  const charts = [["loss", "loss"], ["val_loss", "val_loss"], ["val_dsc", "val_dsc"]].map(([key, word]) => {
    const range = key === "val_dsc" ? [0, 1] : [];
    const drawn = run.curves[key] && curve(t(word), run.curves.epoch, run.curves[key], range);
    return drawn && element("figure", { class: "chart card" }, element("figcaption", {}, t(word)), drawn);
  });
  const evaluated = run.columns.length > 0;
  const key = evaluated ? "own/dice" : "training_dsc";
  const values = run.patients.map((each) => [each.patient, evaluated ? each.scores[key] : each.training_dsc]);
  const plot = values.length && bars(t("dsc_plot"), values, run.own?.mean, run.own?.median);
  const columns = evaluated ? run.columns : ["training_dsc"];
  const rows = run.patients.map((each) => [
    element("th", { scope: "row" }, each.patient),
    ...columns.map((column) => number(evaluated ? each.scores[column] : each.training_dsc)),
    element("button", { type: "button", "aria-label": t("look_label", { patient: each.patient }), onclick: () => look(run.name, each.patient) }, t("look")),
  ]);
  const heads = columns.map((column) => (column.startsWith("own/") ? t(column.slice(4)) : t(column)));
  content.replaceChildren(
    element("p", {}, element("a", { href: "/runs" }, `← ${t("back_to_runs")}`)),
    element("h2", {}, run.name),
    element("p", {}, `${t("network")}: ${run.network} · ${t("status")}: ${run.status} · ${t("split")}: ${run.split ?? "–"} · ${t("best_val")}: ${number(run.best_val_dsc)}`),
    element("p", { class: "small" }, element("code", {}, run.command ?? "")),
    evaluated
      ? element("ul", { class: "small" }, ...["own/dice", "reference"].map((each) => element("li", {}, `${t(each === "reference" ? each : "own")}: ${line(run[each === "reference" ? each : "own"])}. ${run.protocols[each]}`)))
      : element("p", { class: "card" }, t("evaluate_hint")),
    element("h2", {}, t("curves")),
    element("div", { class: "charts" }, ...charts),
    element("h2", {}, evaluated ? `${t("dsc_plot")} (${t("protocol_own")})` : t("training_dsc")),
    plot ? element("div", { class: "chart card" }, plot) : null,
    element("h2", {}, t("patients")),
    table(t("patients"), [t("patient"), ...heads, t("look")], rows),
    ...run.figures.map((name) =>
      element("figure", { class: "card" }, element("figcaption", {}, name), element("img", { src: `/api/runs/${encodeURIComponent(run.name)}/figures/${encodeURIComponent(name)}`, alt: name, loading: "lazy" })),
    ),
  );
}

async function look(run, patient) {
  try {
    const scan = await post(`/api/runs/${encodeURIComponent(run)}/patients/${encodeURIComponent(patient)}`);
    location.href = `/?${new URLSearchParams({ scan: scan.id, run, patient })}`;
  } catch (error) {
    showProblems(problems, error);
  }
}
