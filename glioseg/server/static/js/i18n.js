// Two languages, switched without a reload. Elements name their words: data-t for text, data-t-label for aria-label.
import { WORDS } from "./words.js";

const KEY = "glioseg-language";
let language = stored() || ((navigator.language || "").toLowerCase().startsWith("zh") ? "zh" : "en");
const listeners = new Set();

function stored() {
  try {
    const value = localStorage.getItem(KEY);
    return value in WORDS ? value : null;
  } catch {
    return null;
  }
}

export function t(key, values = {}) {
  const text = WORDS[language][key] ?? WORDS.en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

// What the server said, in the language of the page: English sentences stand on it, others among its translations.
export function inLanguage(fault) {
  return fault.translations?.[language] ?? fault;
}

export function currentLanguage() {
  return language;
}

export function onLanguage(listener) {
  listeners.add(listener);
}

export function setLanguage(next) {
  language = next;
  try {
    localStorage.setItem(KEY, next);
  } catch {
    // a browser that keeps nothing: the choice lasts as long as the page
  }
  translate(document);
  listeners.forEach((listener) => listener());
}

export function translate(root) {
  document.documentElement.lang = language === "zh" ? "zh-Hans" : "en";
  root.querySelectorAll("[data-t]").forEach((element) => (element.textContent = t(element.dataset.t)));
  root.querySelectorAll("[data-t-label]").forEach((element) => {
    element.setAttribute("aria-label", t(element.dataset.tLabel));
    if (element.tagName === "BUTTON") element.title = t(element.dataset.tLabel);
  });
}
