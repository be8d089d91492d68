// Files that are dropped or chosen; folders are walked.
export function acceptDrops(target, onFiles) {
  // In the capture phase: NiiVue keeps what happens over its canvas to itself.
  const on = (kind, listener) => document.addEventListener(kind, listener, true);
  const dragging = (yes) => document.body.classList.toggle("dragging", yes);
  on("dragover", (event) => {
    event.preventDefault();
    dragging(true);
  });
  on("dragleave", (event) => event.relatedTarget || dragging(false));
  on("drop", async (event) => {
    event.preventDefault();
    dragging(false);
    const entries = [...(event.dataTransfer?.items || [])].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
    const files = entries.length ? (await Promise.all(entries.map(walk))).flat() : [...(event.dataTransfer?.files || [])];
    if (files.length) onFiles(files);
  });
  for (const input of target.querySelectorAll("input[type=file]")) {
    input.addEventListener("change", () => {
      const files = [...input.files].filter((file) => !file.name.startsWith("."));
      input.value = "";
      if (files.length) onFiles(files);
    });
  }
}

// The files of an entry, each with its path; what systems leave behind (names that start with a dot) is left out.
export async function walk(entry) {
  if (entry.isFile) {
    const file = await new Promise((resolve, reject) => entry.file(resolve, reject));
    file.path = entry.fullPath.replace(/^\//, "");
    return file.name.startsWith(".") ? [] : [file];
  }
  const reader = entry.createReader();
  const inside = [];
  for (;;) {
    const some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!some.length) break;
    inside.push(...some);
  }
  return (await Promise.all(inside.map(walk))).flat();
}
