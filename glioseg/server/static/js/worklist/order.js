// In which order patients stand, and which of them are shown. The viewer goes through them as the list showed them.

// A row without a value stands behind all others.
const VALUES = {
  certainty: (row) => (row.revision == null ? null : row.expected_dice ?? 0), // nothing found: perhaps missed
  name: (row) => row.name,
  volume: (row) => row.lesion_mm3 ?? row.lesion_voxels,
  slices: (row) => row.slices,
  status: (row) => ["failed", "waiting", "running", "segmented", "corrected", "checked"].indexOf(row.status),
  warnings: (row) => (row.revision == null ? null : row.flags.length),
  number: (row) => row.number,
};

export const SORTS = Object.keys(VALUES);

const names = new Intl.Collator(undefined, { numeric: true, sensitivity: "base" });

// by: one of SORTS; down: the largest first.
export function sorted(rows, { by = "certainty", down = false } = {}) {
  const value = VALUES[by];
  const rank = (row) => (row.status === "failed" ? 2 : 1);
  const compare = (one, other) => {
    const [a, b] = [value(one), value(other)];
    if (a == null || b == null) return (a == null) - (b == null) || rank(one) - rank(other);
    const difference = typeof a === "string" ? names.compare(a, b) : a - b;
    return down ? -difference : difference;
  };
  return [...rows].sort((one, other) => compare(one, other) || one.number - other.number);
}

export const KINDS = ["all", "unchecked", "waiting", "segmented", "corrected", "checked", "failed", "removed"];

// The rows that nobody removed.
export function present(rows) {
  return rows.filter((row) => row.status !== "removed");
}

// text: a part of the name; kind: one of KINDS.
export function shown(rows, { text = "", kind = "all" } = {}) {
  const wanted = text.trim().toLowerCase();
  return rows.filter((row) => row.name.toLowerCase().includes(wanted) && isOf(row, kind));
}

function isOf(row, kind) {
  if (row.status === "removed") return kind === "removed";
  if (kind === "all") return true;
  if (kind === "unchecked") return row.revision != null && !row.checked;
  if (kind === "corrected") return row.corrected;
  if (kind === "waiting") return row.status === "waiting" || row.status === "running";
  return row.status === kind;
}

// How many rows have each status; each counts once.
export function counts(rows) {
  const found = {};
  for (const { status } of rows) {
    const kind = status === "running" ? "waiting" : status;
    found[kind] = (found[kind] ?? 0) + 1;
  }
  return found;
}

const KEPT = "glioseg-order";

// The order in which a person goes through the patients: that of the list when one was opened.
export function keepOrder(keys) {
  keep(KEPT, keys);
}

// What came to the list since then stands at the end.
export function keptOrder(rows) {
  const known = new Set(rows.map((row) => row.key));
  const before = (kept(KEPT) ?? []).filter((key) => known.has(key));
  const all = new Set(before);
  return [...before, ...sorted(rows).map((row) => row.key).filter((key) => !all.has(key))];
}

export function keep(name, value) {
  try {
    sessionStorage.setItem(name, JSON.stringify(value));
  } catch {
    // a browser that keeps nothing
  }
}

export function kept(name) {
  try {
    return JSON.parse(sessionStorage.getItem(name));
  } catch {
    return null;
  }
}
