// Numbers, what they mean, warnings and downloads.
import { t } from "./i18n.js";
import { element, number } from "./page.js";

const METRICS = ["dice", "iou", "sensitivity", "precision", "hd95", "nsd"];

export function showNumbers(content, body, flags, protocol) {
  const length = t(content.diameter_unit);
  const rows = [
    content.lesion_mm3 == null
      ? ["lesion_voxels", content.lesion_voxels.toLocaleString("en")]
      : ["lesion_volume", `${(content.lesion_mm3 / 1000).toFixed(2)} ml`],
    ["slices_with_lesion", t("of", { count: content.slices_with_lesion, all: content.slices })],
    ["largest_diameter", `${content.largest_diameter.toFixed(1)} ${length}`],
    ["expected_dice", content.expected_dice == null ? "–" : number(content.expected_dice, 2)],
  ];
  for (const name of METRICS) {
    const metric = content.metrics?.[name];
    if (!metric) continue;
    const unit = metric.unit ? ` ${t(metric.unit)}` : "";
    const value = typeof metric.value === "number" ? number(metric.value) + unit : t("undefined");
    rows.push([name, value]);
  }
  body.replaceChildren(
    ...rows.map(([name, value]) => {
      const meaning = t(`${name}_tip`);
      const term = element("button", { type: "button", class: "term", "aria-describedby": `tip-${name}` }, t(name));
      const tip = element("span", { class: "tip", role: "tooltip", id: `tip-${name}` }, meaning);
      return element("tr", { "data-number": name }, element("th", { scope: "row" }, term, tip), element("td", {}, value));
    }),
  );
  const codes = [...(content.corrected ? ["corrected"] : []), ...content.flags];
  const names = content.filled.map((channel) => t(channel)).join(", ");
  flags.replaceChildren(...codes.map((code) => element("li", {}, t(`flag_${code}`, { filled: names }))));
  protocol.textContent = content.protocol || "";
}

export function showDownloads(scan, box) {
  const start = `/api/scans/${scan.id}`;
  const files = [
    ...(scan.format === "dicom"
      ? [["dl_seg", `${start}/mask?format=dicom`], ["dl_seg_anonymous", `${start}/mask?format=dicom&anonymise=true`]]
      : [["dl_mask", `${start}/mask`]]),
    ["dl_nifti", `${start}/mask?format=nifti`],
    ["dl_tif", `${start}/mask?format=tif`],
    ["dl_png", `${start}/mask?format=png`],
    ...(scan.probability ? [["dl_prob", `${start}/probability`]] : []),
    ["dl_gif", `${start}/outlines?format=gif`],
    ["dl_pngs", `${start}/outlines?format=png`],
    ["dl_csv", `${start}/numbers?format=csv`],
    ["dl_json", `${start}/numbers`],
  ];
  box.replaceChildren(
    ...files.map(([word, path]) =>
      element("a", { class: "button", href: path, download: word === "dl_json" ? `${scan.name}.json` : "", "data-t": word }, t(word)),
    ),
  );
}
