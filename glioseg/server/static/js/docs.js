// The API's own description, readable: every address with its parameters and answers.
import { getJson } from "./api.js";
import { onLanguage, t } from "./i18n.js";
import { element, header, showProblems } from "./page.js";

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
    `curl -F files=@scan.nii.gz ${here}/api/scans            # gives an id`,
    `curl -X POST ${here}/api/scans/ID/segment               # waits, gives the numbers`,
    `curl -OJ ${here}/api/scans/ID/mask`,
    `curl -X DELETE ${here}/api/scans/ID`,
  ];
  const parts = Object.entries(api.paths).flatMap(([path, methods]) => Object.entries(methods).map(([method, one]) => operation(path, method, one)));
  content.replaceChildren(
    element("p", {}, t("docs_intro")),
    element("p", {}, ...api.info.description.replace(/\*\*|`/g, "").split("\n\n").flatMap((text) => [text, element("br")])),
    element("h2", {}, t("docs_start")),
    element("pre", { tabindex: "0" }, start.join("\n")),
    ...parts,
  );
}

function operation(path, method, one) {
  const parameters = (one.parameters || []).map((each) => {
    const { schema = {} } = each;
    const kind = schema.enum ? schema.enum.join(" | ") : schema.pattern || schema.type || "";
    const usual = schema.default === undefined ? "" : ` (${schema.default})`;
    return element("li", {}, element("code", {}, each.name), ` ${each.in}: ${kind}${usual}`);
  });
  const bodies = Object.keys(one.requestBody?.content || {});
  const answers = Object.entries(one.responses).map(([status, each]) => element("li", {}, element("code", {}, status), ` ${each.description}`));
  return element(
    "details",
    { class: "card" },
    element("summary", {}, element("code", {}, `${method.toUpperCase()} ${path}`), ` ${(one.description || "").split("\n")[0]}`),
    element("p", {}, one.description || ""),
    parameters.length ? element("h3", {}, t("parameters")) : null,
    element("ul", {}, ...parameters),
    bodies.length ? element("p", {}, `${t("body")}: ${bodies.join(", ")}`) : null,
    element("h3", {}, t("answers")),
    element("ul", {}, ...answers),
  );
}
