// The page on which the model in use is improved from corrected cases, and on which one switches to another.
import { getJson, post, put, Refusal, remove } from "../api.js";
import { inLanguage, onLanguage, t } from "../i18n.js";
import { element, header, number, showProblems } from "../page.js";
import { duration, origin, signed, verdict } from "./words.js";

const $ = (id) => document.getElementById(id);
const OFTEN = 1000; // ms between two looks at a training that is going on
const GOING_ON = ["collecting", "preparing", "training", "comparing"];
let state = null; // what the server said last
let models = [];

header("/list");
$("start").addEventListener("click", () => act(() => post("/api/learning")));
$("stop").addEventListener("click", () => act(async () => (await remove("/api/learning")).json()));
onLanguage(() => state && show());
look().then(() => (document.documentElement.dataset.ready = "true"));

function goingOn() {
  return GOING_ON.includes(state?.job?.state);
}

async function look() {
  try {
    const before = goingOn();
    state = await getJson("/api/learning");
    if (!models.length || before !== goingOn()) ({ models } = await getJson("/api/models"));
    show();
    if (before && !goingOn()) $("status").textContent = $("ended").textContent;
  } catch (error) {
    fail(error);
  } finally {
    // A server that does not answer may come back.
    if (goingOn()) setTimeout(look, OFTEN);
  }
}

async function act(ask) {
  $("problems").hidden = true;
  for (const id of ["start", "stop"]) $(id).disabled = true;
  const before = goingOn();
  let done = false;
  try {
    state = await ask();
    done = true;
    ({ models } = await getJson("/api/models"));
  } catch (error) {
    fail(error);
  }
  show();
  if (goingOn() && !before) setTimeout(look, OFTEN);
  return done;
}

function show() {
  if (!state) return;
  for (const id of ["begin", "all"]) $(id).hidden = false;
  const { corrected, checked, held_out: out, reason, missing, unfit, kept } = state;
  $("from").textContent = t("learn_from", { corrected, checked });
  $("out").textContent = !corrected && !checked ? "" : reason ? t(`learn_${reason}`) : t("learn_out", { count: out });
  $("not-kept").hidden = kept;
  $("missing").hidden = !missing.length;
  if (missing.length) $("missing-line").textContent = missing[0].parameters.command;
  $("unfit").hidden = !unfit;
  if (unfit) $("unfit").replaceChildren(...told(unfit));
  $("start").hidden = goingOn();
  $("start").disabled = Boolean(missing.length || unfit) || !(corrected + checked);
  $("stop").hidden = !goingOn();
  $("stop").disabled = false;
  showProgress();
  showEnd();
  showModels();
}

function showProgress() {
  $("work").hidden = !goingOn();
  if (!goingOn()) return;
  const { state: stage, epoch, epochs, seconds_left: left, collected } = state.job;
  const [done, count] = collected ?? [0, 0];
  $("work-text").textContent = t(`learn_${stage}`, { done, count, epoch, epochs, left: duration(left) });
  if (stage === "training") $("work-bar").value = epoch / epochs;
  else if (stage === "collecting" && count) $("work-bar").value = done / count;
  else $("work-bar").removeAttribute("value");
}

function showEnd() {
  const { job } = state;
  $("last").hidden = !job || goingOn();
  if (!job || goingOn()) return;
  $("ended").textContent = t(`learn_${job.state}`, { name: job.name, base: job.base, epoch: job.epoch, epochs: job.epochs });
  $("faults").hidden = !job.faults.length;
  $("faults").replaceChildren(...job.faults.map((fault) => element("li", {}, ...told(fault))));
  $("verdict").hidden = job.state !== "done";
  $("verdict").textContent = job.state === "done" ? verdict(job.change) : "";
  $("change").hidden = !job.change;
  if (!job.change) return;
  const line = (name, before, after) =>
    element("tr", {}, element("th", { scope: "row" }, name), ...[number(before), number(after), signed(after - before)].map((text) => element("td", {}, text)));
  $("change").querySelector("tbody").replaceChildren(...job.change.cases.map((one) => line(one.name, one.before, one.after)));
  $("change").querySelector("tfoot").replaceChildren(line(t("learn_mean"), job.change.before, job.change.after));
}

// A fault in words: where, and what to do.
function told(fault) {
  const words = inLanguage(fault);
  return [element("strong", {}, words.where), t("fault", words)];
}

function showModels() {
  const rows = models
    .filter(({ name }) => name !== "default" || !models.some((one) => one.in_use && one.name !== "default"))
    .map((model) => {
      const label = model.in_use
        ? element("strong", {}, t("learn_in_use"))
        : element("button", { type: "button", "aria-label": `${t("learn_use")}: ${model.called}`, onclick: () => use(model) }, t("learn_use"));
      return element("tr", { "data-model": model.name }, element("th", { scope: "row" }, model.called), element("td", {}, origin(model)), element("td", {}, label));
    });
  $("models").tBodies[0].replaceChildren(...rows);
}

async function use({ name, called }) {
  const done = await act(() => put("/api/models/default", { model: name }));
  $("status").textContent = done ? t("learn_used_said", { name: called }) : "";
}

function fail(error) {
  showProblems($("problems"), error);
  if (!(error instanceof Refusal)) throw error; // one of our own: the console says where
}
