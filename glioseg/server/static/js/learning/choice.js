// Which model segments scans and from which probability on, as long as this tab is open.
import { getJson } from "../api.js";
import { onLanguage, t } from "../i18n.js";
import { element } from "../page.js";

const $ = (id) => document.getElementById(id);
const KEY = "glioseg-model";
export const GIVEN = "given"; // the mask that came with the scan, in the place of a model

// What a request to segment says: {model, threshold}, each only if it was chosen.
export function chosen() {
  try {
    return JSON.parse(sessionStorage.getItem(KEY)) ?? {};
  } catch {
    return {};
  }
}

export function choose(choice) {
  try {
    sessionStorage.setItem(KEY, JSON.stringify(choice));
  } catch {
    // a browser that keeps nothing: scans are segmented as the server chooses
  }
}

export class ModelChoice {
  // session(): the scan that is open, if its mask is there; again(choice): segments it once more.
  constructor({ session, again, fail }) {
    Object.assign(this, { session, fail, models: [] });
    for (const id of ["model", "model-threshold"]) $(id).addEventListener("change", () => this._keep());
    for (const [id, choice] of [["model-again", null], ["model-given", { model: GIVEN }]]) {
      $(id).addEventListener("click", async () => {
        $(id).disabled = true;
        try {
          await again(choice);
        } finally {
          $(id).disabled = false;
          this._list(); // the one that was chosen may be gone
        }
      });
    }
    onLanguage(() => this._list());
    this.learn();
  }

  async learn() {
    try {
      const { models, gliomas } = await getJson("/api/models");
      this.models = models;
      $("finds-gliomas").hidden = !gliomas;
      this._list();
    } catch (error) {
      this.fail(error);
    }
  }

  // Which model made the mask that is shown.
  refresh() {
    const open = this.session();
    const { model: name, threshold, truth } = open?.scan ?? {};
    const word = name === GIVEN ? "model_made_given" : name ? "model_made" : "model_made_unknown";
    $("model-made").textContent = open ? t(word, { name, threshold: threshold.toFixed(2) }) : "";
    $("model-given").hidden = !truth;
  }

  _list() {
    const { model = "default", threshold } = chosen();
    const title = ({ name, called }) => (name === "default" ? t("model_default", { name: called }) : called);
    const offered = this.models.filter(({ name, in_use: used }) => name === "default" || !used);
    $("model").replaceChildren(...offered.map((one) => element("option", { value: one.name }, title(one))));
    $("model").value = offered.some(({ name }) => name === model) ? model : "default";
    $("model-threshold").value = threshold ?? "";
    $("model-threshold").placeholder = t("model_threshold_own");
    this.refresh();
  }

  _keep() {
    const threshold = $("model-threshold");
    if (!threshold.checkValidity()) return threshold.reportValidity();
    choose({
      ...($("model").value === "default" ? {} : { model: $("model").value }),
      ...(threshold.value ? { threshold: Number(threshold.value) } : {}),
    });
  }
}
