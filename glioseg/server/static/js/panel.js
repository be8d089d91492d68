// Numbers, what they mean, warnings and downloads.
import { currentLanguage, inLanguage, t } from "./i18n.js";
import { nameOf } from "./labels.js";
import { element, number } from "./page.js";

const METRICS = ["dice", "iou", "sensitivity", "precision", "hd95", "nsd"];

export function showNumbers(content, body, flags, protocol) {
  const length = t(content.diameter_unit);
  const rows = [
    content.lesion_mm3 == null
      ? ["lesion_voxels", content.lesion_voxels.toLocaleString("en")]
      : ["lesion_volume", `${(content.lesion_mm3 / 1000).toFixed(2)} ml`],
    ...content.labels.map((label) => [label, sizeOf(label)]),
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
      if (name.value) return element("tr", { "data-label": name.value }, element("th", { scope: "row" }, nameOf(name)), element("td", {}, value));
      const meaning = t(`${name}_tip`);
      const term = element("button", { type: "button", class: "term", "aria-describedby": `tip-${name}` }, t(name));
      const tip = element("span", { class: "tip", role: "tooltip", id: `tip-${name}` }, meaning);
      return element("tr", { "data-number": name }, element("th", { scope: "row" }, term, tip), element("td", {}, value));
    }),
  );
  const noted = new Set(content.notes.map((note) => note.code));
  const codes = [...(content.corrected ? ["corrected"] : []), ...content.flags.filter((code) => !noted.has(code))];
  const names = content.filled.map((channel) => t(channel)).join(", ");
  const warnings = [
    ...content.notes.map((note) => inLanguage(note).sentence),
    ...codes.map((code) => t(`flag_${code}`, { filled: names })),
  ];
  flags.replaceChildren(...warnings.map((warning) => element("li", {}, warning)));
  protocol.textContent = inLanguage({ sentence: content.protocol, translations: content.protocol_translations }).sentence || "";
}

// How large a label is, and its Dice where the true mask has the same one.
function sizeOf({ voxels, mm3, dice }) {
  const size = mm3 == null ? t("list_voxels", { count: voxels.toLocaleString("en") }) : `${(mm3 / 1000).toFixed(2)} ml`;
  return typeof dice === "number" ? `${size} · DSC ${number(dice, 2)}` : size;
}

// Buttons and not links: what is drawn has to reach the server first.
// onChoice(path, name, mask): path behind the address of the scan; name: "" for the server's; whether it holds the mask.
export function showDownloads(scan, box, onChoice) {
  const files = [
    ...(scan.format === "dicom"
      ? [["dl_seg", "mask?format=dicom"], ["dl_seg_anonymous", "mask?format=dicom&anonymise=true"]]
      : [["dl_mask", "mask"]]),
    ["dl_nifti", "mask?format=nifti"],
    ["dl_tif", "mask?format=tif"],
    ["dl_png", "mask?format=png"],
    ...(scan.probability ? [["dl_prob", "probability"]] : []),
    ["dl_gif", "outlines?format=gif"],
    ["dl_pngs", "outlines?format=png"],
    ["dl_report", "report?language="],
    ["dl_csv", "numbers?format=csv"],
    ["dl_json", "numbers"],
  ];
  const words = files.map(([word]) => word).join(" ");
  if (box.dataset.files !== words) {
    box.dataset.files = words;
    box.replaceChildren(
      ...files.map(([word, path]) => {
        const place = () => (word === "dl_report" ? path + currentLanguage() : path);
        const choose = () => box.choose(place(), word === "dl_json" ? `${box.scanName}.json` : "", path.startsWith("mask"));
        return element("button", { type: "button", "data-t": word, onclick: choose }, t(word));
      }),
    );
  }
  Object.assign(box, { choose: onChoice, scanName: scan.name });
}
