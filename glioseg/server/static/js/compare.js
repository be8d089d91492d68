// Chosen runs side by side, ranked only where their protocols agree.
import { getJson } from "./api.js";
import { inLanguage, onLanguage, t } from "./i18n.js";
import { element, header, number, showProblems, table } from "./page.js";

const content = document.getElementById("content");
const problems = document.getElementById("problems");
const chosen = new Set(new URLSearchParams(location.search).getAll("run"));
let protocol = "own";
header("/compare");
onLanguage(show);
show();

async function show() {
  try {
    const { runs } = await getJson("/api/runs");
    const evaluated = runs.filter((run) => run.own);
    content.replaceChildren(evaluated.length ? form(evaluated) : element("p", { class: "card" }, t(runs.length ? "evaluate_hint" : "no_runs")), element("div", { id: "result", class: "stack", "aria-live": "polite" }));
    if (chosen.size >= 2) await compare();
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    showProblems(problems, error);
  }
}

function form(runs) {
  const boxes = runs.map((run) =>
    element("label", { class: "check" }, element("input", { type: "checkbox", name: "run", value: run.name, checked: chosen.has(run.name), onchange: (event) => (event.target.checked ? chosen.add(run.name) : chosen.delete(run.name)) }), run.name),
  );
  const kinds = ["own", "reference"].map((kind) =>
    element("label", { class: "check" }, element("input", { type: "radio", name: "protocol", value: kind, checked: kind === protocol, onchange: () => (protocol = kind) }), t(`protocol_${kind}`)),
  );
  return element(
    "div",
    { class: "card" },
    element("fieldset", { class: "choice" }, element("legend", {}, t("choose_two")), element("div", { class: "row" }, ...boxes)),
    element("fieldset", { class: "choice" }, element("legend", {}, t("protocol")), element("div", { class: "row" }, ...kinds)),
    element("button", { type: "button", class: "primary", id: "compare", onclick: compare }, t("compare_button")),
  );
}

async function compare() {
  problems.hidden = true;
  const query = new URLSearchParams([...[...chosen].map((name) => ["run", name]), ["protocol", protocol]]);
  try {
    const found = await getJson(`/api/compare?${query}`);
    document.getElementById("result").replaceChildren(...tables(found));
  } catch (error) {
    showProblems(problems, error);
  }
}

function tables(found) {
  const names = found.runs.map((run) => run.name);
  const parts = [];
  if (found.refused.length) {
    const items = found.refused.map(inLanguage).map((one) => element("li", {}, `${one.where}: ${one.expected}; ${one.found}`));
    parts.push(element("div", { class: "problems" }, element("h2", {}, t("refused")), element("ul", {}, ...items)));
  }
  const ranked = found.refused.length ? found.runs : [...found.runs].sort((a, b) => b.mean - a.mean);
  parts.push(
    table(t("compare_title"), [t("run"), t("mean"), "95 %", t("median", { value: "" }).trim(), t("patients")], ranked.map((run) => [run.name, number(run.mean), `${number(run.low)}–${number(run.high)}`, number(run.median), run.patients])),
  );
  if (found.comparisons.length) {
    parts.push(element("h2", {}, t("comparison")), element("ul", {}, ...found.comparisons.map((one) => element("li", {}, inLanguage(one).sentence))));
  }
  parts.push(
    element("h2", {}, t("scores_by_patient")),
    table(t("scores_by_patient"), [t("patient"), ...names], found.patients.map((each) => [each.patient, ...names.map((name) => number(each.scores[name]))])),
    element("ul", { class: "small" }, ...names.map((name) => element("li", {}, `${name}: ${inLanguage(found.protocols[name]).sentence}`))),
  );
  return parts;
}
