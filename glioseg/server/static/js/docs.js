// The API's own description, readable: every address with its parameters and answers.
import { getJson } from "./api.js";
import { currentLanguage, onLanguage, t } from "./i18n.js";
import { element, header, showProblems } from "./page.js";
import { API_WORDS } from "./words.js";

const content = document.getElementById("content");
header("/docs");
onLanguage(show);
show();

async function show() {
  try {
    draw(await getJson("/openapi.json"));
    document.documentElement.dataset.ready = "true";
  } catch (error) {
    showProblems(document.getElementById("problems"), error);
  }
}

function draw(api) {
  const here = location.origin;
  const start = [
    `curl -F files=@scan.nii.gz ${here}/api/scans            # ${t("docs_gives_id")}`,
    `curl -X POST ${here}/api/scans/ID/segment               # ${t("docs_waits")}`,
    `curl -OJ ${here}/api/scans/ID/mask`,
    `curl -X DELETE ${here}/api/scans/ID`,
  ];
  const parts = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => operation(path, method, one)));
  content.replaceChildren(
    element("p", {}, t("docs_intro")),
    ...paragraphs(api.info.description).map((text) => element("p", {}, text)),
    element("h2", {}, t("docs_start")),
    element("pre", { tabindex: "0" }, start.join("\n")),
    ...parts,
  );
}

// A description in the language of the page: the catalogue has its paragraphs under their English.
function paragraphs(text = "") {
  const english = text.split("\n\n").map((each) => each.replace(/\s+/g, " ").trim());
  return english.filter(Boolean).map((each) => (API_WORDS[currentLanguage()][each] ?? each).replace(/\*\*|`/g, ""));
}

function operation(path, method, one) {
  const parameters = (one.parameters || []).map((each) => {
    const { schema = {} } = each;
    const kind = schema.enum ? schema.enum.join(" | ") : schema.pattern || schema.type || "";
    const usual = schema.default === undefined ? "" : ` (${schema.default})`;
    const said = [t(`in_${each.in}`), ...paragraphs(each.description)].join(", ");
    return element("li", {}, element("code", {}, each.name), ` (${said}) `, element("code", {}, `${kind}${usual}`));
  });
  const bodies = Object.keys(one.requestBody?.content || {});
  const answers = Object.entries(one.responses).map(([status, each]) => element("li", {}, element("code", {}, status), ` ${paragraphs(each.description)}`));
  const [summary = "", ...more] = paragraphs(one.description);
  return element(
    "details",
    { class: "card" },
    element("summary", {}, element("code", {}, `${method.toUpperCase()} ${path}`), ` ${summary}`),
    ...more.map((text) => element("p", {}, text)),
    parameters.length ? element("h3", {}, t("parameters")) : null,
    element("ul", {}, ...parameters),
    bodies.length ? element("p", {}, `${t("body")}: ${bodies.join(", ")}`) : null,
    element("h3", {}, t("answers")),
    element("ul", {}, ...answers),
  );
}
