// Which series of a DICOM study is which: those that were found, and a choice for each sequence.
import { onLanguage, t, translate } from "./i18n.js";
import { element } from "./page.js";

const SEQUENCES = ["flair", "pre", "post"];

// "series 4 'AX FLAIR'"; part tells apart what shares a number and a name.
function title({ number, name, part }) {
  return [t("series"), number, name && `'${name}'`, part && `(${part})`].filter((each) => each || each === 0).join(" ");
}

export class SeriesForm {
  // form: an empty one, named by #series-title.
  constructor(form, onChoice) {
    this.form = form;
    this.series = [];
    this._build();
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      onChoice(SEQUENCES.map((name) => `${name}=${this._select(name).value}`));
    });
    onLanguage(() => this.form.hidden || this._fill(this._chosen()));
  }

  _build() {
    const text = (kind, word, attributes = {}) => element(kind, { ...attributes, "data-t": word });
    const select = (name) => element("label", { class: "select" }, text("span", name), element("select", { name, required: name === "flair" }));
    this.form.append(
      text("h2", "series_title", { id: "series-title" }),
      text("p", "series_text"),
      element("ul"),
      ...SEQUENCES.map(select),
      text("button", "series_go", { type: "submit", class: "primary" }),
    );
    translate(this.form);
  }

  // series: as the API lists them; what each is taken for is chosen already.
  show(series) {
    this.series = series;
    this._fill(Object.fromEntries(series.filter((each) => each.sequence).map((each) => [each.sequence, each.key])));
    this.form.hidden = false;
    this.form.scrollIntoView({ block: "nearest" });
    this._select("flair").focus({ preventScroll: true });
  }

  hide() {
    this.form.hidden = true;
  }

  _select(name) {
    return this.form.querySelector(`[name=${name}]`);
  }

  _chosen() {
    return Object.fromEntries(SEQUENCES.map((name) => [name, this._select(name).value]));
  }

  _fill(chosen) {
    const items = this.series.map((each) => {
      const plane = each.plane ? t(`plane_${each.plane}`) : t("plane_unknown");
      return element("li", {}, t("series_item", { title: title(each), count: each.images, plane }));
    });
    this.form.querySelector("ul").replaceChildren(...items);
    for (const name of SEQUENCES) {
      // Nothing stands in for FLAIR: it has to be chosen.
      const nothing = name === "flair" ? ["", "choose"] : ["none", "no_series"];
      const options = [[nothing[0], t(nothing[1])], ...this.series.map((each) => [each.key, title(each)])];
      this._select(name).replaceChildren(...options.map(([value, text]) => element("option", { value }, text)));
      this._select(name).value = chosen[name] ?? nothing[0];
    }
  }
}
