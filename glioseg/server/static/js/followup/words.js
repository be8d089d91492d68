// What is said of two time points; no page is needed for it.

// A volume as a person reads it: ml where mm3 are known. unit: "mm3", or what voxels are called.
export function amount(value, unit, signed = false) {
  if (value == null) return "–";
  const sign = signed && value > 0 ? "+" : "";
  const millilitres = value / 1000;
  const digits = Math.abs(millilitres) < 10 ? 2 : 1;
  const text = unit === "mm3" ? `${millilitres.toFixed(digits)} ml` : `${Math.round(value).toLocaleString("en")} ${unit}`;
  return sign + text.replace("-", "−");
}

export function bounds(found, unit, signed = false) {
  if (found.low == null || found.high == null) return "–";
  return `${amount(found.low, unit, signed)} … ${amount(found.high, unit, signed)}`;
}

export function percent(share) {
  if (share == null) return "";
  return `${share > 0 ? "+" : ""}${Math.round(100 * share)} %`.replace("-", "−");
}

// Which sentence sums it up.
export function verdict({ difference, certain }) {
  if (difference.value === 0) return "followup_same";
  const way = difference.value > 0 ? "grown" : "shrunk";
  if (certain == null) return `followup_${way}`;
  return certain ? `followup_${way}_certain` : `followup_${way}_uncertain`;
}

// Two rows that are most likely one patient: names that begin alike, the longest first; else the first two.
export function likelyPair(rows) {
  let best = null;
  for (let one = 0; one < rows.length; one += 1) {
    for (let other = one + 1; other < rows.length; other += 1) {
      const alike = common(rows[one].name, rows[other].name);
      if (!best || alike > best.alike) best = { alike, pair: [rows[one], rows[other]] };
    }
  }
  return best?.pair ?? null;
}

function common(one, other) {
  let place = 0;
  while (place < one.length && one[place] === other[place]) place += 1;
  return place;
}
