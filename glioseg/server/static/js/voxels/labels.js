// The labels of masks: their colours in the picture, and what they become among other labels.

const COLOURS = ["#ff2b2b", "#4db2ff", "#ffd23f", "#5fd07a", "#d58cff", "#ff9a3d", "#40e0d0", "#ff8ad8"];
const TRUE = "#00e34b"; // of a true mask that says lesion or not

// labels: of the mask; truth: of the mask that came with the scan, if it has several; each [{value, name}].
// Gives {predicted, true}: the colour of each value. The same value has the same colour in both if both have several.
export function coloursOf(labels, truth = []) {
  const colour = (place) => COLOURS[place % COLOURS.length];
  const predicted = Object.fromEntries(labels.map(({ value }, place) => [value, colour(place)]));
  if (!truth.length) return { predicted, true: { 1: TRUE } };
  const shared = labels.length > 1 ? predicted : {};
  const others = truth.filter(({ value }) => !shared[value]);
  const own = Object.fromEntries(others.map(({ value }, place) => [value, colour(labels.length + place)]));
  return { predicted, true: Object.fromEntries(truth.map(({ value }) => [value, shared[value] ?? own[value]])) };
}

// Of each value among some labels, what it is among others: itself where value and name are the same, or else the
// first of them. null if all stay what they are.
export function translation(before, after) {
  const known = new Set(after.map(({ value, name }) => `${value} ${name}`));
  const strange = before.filter(({ value, name }) => !known.has(`${value} ${name}`));
  if (!strange.length) return null;
  const table = Uint8Array.from({ length: 256 }, (_, value) => value);
  for (const { value } of strange) table[value] = after[0].value;
  return table;
}
