// Scans with corrections that this browser keeps, and the question before one is left.
import { currentLanguage, t } from "./i18n.js";
import { element } from "./page.js";

const CURRENT = "glioseg-scan"; // of this tab, so that a reload finds it
const DAY = 24 * 60 * 60 * 1000;

export function currentKey() {
  try {
    return sessionStorage.getItem(CURRENT);
  } catch {
    return null;
  }
}

export function rememberKey(key) {
  try {
    if (key) sessionStorage.setItem(CURRENT, key);
    else sessionStorage.removeItem(CURRENT);
  } catch {
    // a browser that keeps nothing
  }
}

// What nobody corrected, in pages that were left a day ago, goes.
export async function sweep(store) {
  const records = (await store?.list().catch(() => [])) ?? [];
  const old = records.filter((each) => !each.unsaved && each.changed < Date.now() - DAY && each.key !== currentKey());
  for (const { key } of old) await store.remove(key).catch(() => {});
}

// A list of what was not saved, each to go on with or to discard.
export async function showKept(store, { box, open, forget }) {
  const records = ((await store?.list().catch(() => [])) ?? []).filter((each) => each.unsaved);
  records.sort((one, other) => other.changed - one.changed);
  box.hidden = !records.length;
  const time = new Intl.DateTimeFormat(currentLanguage() === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "short" });
  box.querySelector("ul").replaceChildren(
    ...records.map((each) =>
      element(
        "li",
        {},
        element("strong", {}, each.name),
        element("span", { class: "small" }, t("kept_since", { time: time.format(each.changed) })),
        element("button", { type: "button", class: "primary", onclick: () => open(each), "aria-label": t("continue_label", { name: each.name }) }, t("continue")),
        element("button", { type: "button", onclick: () => forget(each), "aria-label": t("discard_label", { name: each.name }) }, t("discard")),
      ),
    ),
  );
}

// Whether a scan may be left; asks if corrections are neither saved nor downloaded.
export async function askToLeave(session) {
  if (!session.unsaved) return true;
  const dialog = document.getElementById("leave");
  document.getElementById("leave-text").textContent = t(session.kept ? "leave_text" : "leave_text_lost", { name: session.scan.name });
  document.getElementById("leave-keep").hidden = !session.kept;
  dialog.returnValue = "";
  dialog.showModal();
  // The event comes a frame later: that of the question before may come while this one is asked.
  do await new Promise((resolve) => dialog.addEventListener("close", resolve, { once: true }));
  while (dialog.open);
  if (dialog.returnValue === "discard") session.discarded = true;
  return dialog.returnValue === "keep" || dialog.returnValue === "discard";
}
