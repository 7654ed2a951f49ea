// Texts of the page, in the browser's or the chosen language.

const KEY = "emodetect.language";

let all = null;
let language = "en";

export async function loadTexts(wanted = null) {
  all = await (await fetch("/texts.json")).json();
  const wishes = [wanted, localStorage.getItem(KEY), ...navigator.languages.map((tag) => tag.slice(0, 2).toLowerCase())];
  useLanguage(wishes.find((wish) => wish in all.languages) ?? "en");
}

export function useLanguage(name, { remember = false } = {}) {
  language = name;
  document.documentElement.lang = name;
  if (remember) {
    localStorage.setItem(KEY, name);
  }
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = translate(element.dataset.text);
  }
}

export function languages() {
  return Object.entries(all.languages).map(([code, { name }]) => ({ code, name, isCurrent: code === language }));
}

export function translate(key, values = {}) {
  const text = all.languages[language].page[key];
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name]);
}

export function number(value, digits = 0) {
  return new Intl.NumberFormat(language, { minimumFractionDigits: digits, maximumFractionDigits: digits }).format(value);
}

export function percent(share) {
  return new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 0 }).format(share);
}

/** Label of a face, as a key of names and colors. */
export function shownEmotion(face) {
  return face.scores === null || face.uncertain ? "uncertain" : face.emotion;
}

export function emotionName(key) {
  return all.languages[language].emotions[key];
}

export function emotions() {
  return Object.keys(all.colors).filter((key) => key !== "uncertain");
}

export function color(key) {
  return all.colors[key];
}
