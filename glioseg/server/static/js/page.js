// What every page shares: the header with pages and language, and small helpers to build elements.
import { currentLanguage, inLanguage, onLanguage, setLanguage, t, translate } from "./i18n.js";

export function element(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value == null) continue;
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "class") made.className = value;
    else made.setAttribute(name, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child != null));
  return made;
}

export function header(current) {
  const pages = [["/", "viewer"], ["/list", "list"], ["/runs", "runs"], ["/compare", "compare"], ["/docs", "api"]];
  const links = pages.map(([path, word]) =>
    element("a", { href: path, "data-t": word, "aria-current": path === current ? "page" : null }),
  );
  const language = element("button", {
    type: "button",
    id: "language",
    "data-t": "other_language",
    onclick: () => setLanguage(currentLanguage() === "en" ? "zh" : "en"),
  });
  const mark = () => (language.lang = currentLanguage() === "en" ? "zh-Hans" : "en");
  mark();
  onLanguage(mark);
  document.getElementById("top").append(
    element("a", { href: "/", class: "brand" }, "glioseg"),
    element("nav", { "data-t-label": "navigation" }, ...links),
    element("p", { class: "warning", "data-t": "not_clinical" }),
    language,
  );
  translate(document);
}

let shown = null;
onLanguage(() => shown && !shown[0].hidden && showProblems(...shown));

export function showProblems(box, error) {
  shown = [box, error];
  const own = [{ where: t("this_page"), expected: t("no_error"), found: error.message, cure: t("reload") }];
  const items = (error.faults ?? own)
    .map(inLanguage)
    .map((fault) => element("li", {}, element("strong", {}, fault.where), t("fault", fault)));
  box.replaceChildren(element("h2", {}, t("problem")), element("ul", {}, ...items));
  box.hidden = false;
}

export function number(value, digits = 3) {
  return value == null ? "–" : Number(value).toFixed(digits);
}

// A table in a card; on narrow screens its rows are cards. rows: their cells, the first of which names the row.
export function table(caption, head, rows) {
  const labelled = (cell, place) => element("td", { role: "cell" }, element("span", { class: "label" }, head[place + 1]), cell);
  const made = element(
    "table",
    { class: "cards", role: "table" },
    element("caption", { class: "hidden-text" }, caption),
    element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, ...head.map((word) => element("th", { scope: "col", role: "columnheader" }, word)))),
    element("tbody", { role: "rowgroup" }, ...rows.map(([first, ...rest]) => element("tr", { role: "row" }, element("th", { scope: "row", role: "rowheader" }, first), ...rest.map(labelled)))),
  );
  return element("div", { class: "scroll card", tabindex: "0", role: "region", "aria-label": caption }, made);
}

// words: of each value, its word in the catalogue.
export function radios(box, group, words, choose) {
  for (const [value, word] of Object.entries(words)) {
    const input = element("input", { type: "radio", name: group, value, id: `${group}-${value}`, onchange: () => choose(value) });
    box.append(element("label", { class: "check" }, input, element("span", { "data-t": word }, t(word))));
  }
}
