// Sentences about a training and about models.
import { currentLanguage, t } from "../i18n.js";

export function signed(value, digits = 3) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(digits)}`;
}

export function duration(seconds) {
  if (seconds == null) return "–";
  if (seconds < 90) return t("learn_seconds", { count: Math.round(seconds) });
  if (seconds < 5400) return t("learn_minutes", { count: Math.round(seconds / 60) });
  return t("learn_hours", { count: (seconds / 3600).toFixed(1) });
}

// change: of the patients that were held out, null if nobody was.
export function verdict(change) {
  if (!change) return t("learn_unproven");
  const { difference, interval, larger_than_noise: sure } = change;
  if (!interval) return t("learn_small", { difference: signed(difference) });
  const [low, high] = interval.map((end) => signed(end));
  if (!sure) return t("learn_even", { difference: signed(difference), low, high });
  return t(difference > 0 ? "learn_better" : "learn_worse", { difference: Math.abs(difference).toFixed(3), low, high });
}

export function origin({ name, learned }) {
  if (learned) {
    const time = new Date(learned.started).toLocaleString(currentLanguage() === "zh" ? "zh-CN" : "en-GB", { dateStyle: "medium", timeStyle: "short" });
    return t("learn_origin_learned", { time, base: learned.base, count: learned.corrected + learned.checked - learned.held_out });
  }
  if (name === "default" || name === "as-started") return t("learn_origin_started");
  return t(name.startsWith("run:") ? "learn_origin_run" : "learn_origin_shipped");
}
