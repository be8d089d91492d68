// Files that are dropped or chosen; folders are walked.
export function acceptDrops(target, onFiles) {
  const stop = (event) => event.preventDefault();
  document.addEventListener("dragover", (event) => {
    stop(event);
    document.body.classList.add("dragging");
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dragging"));
  document.addEventListener("drop", async (event) => {
    stop(event);
    document.body.classList.remove("dragging");
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

async function walk(entry) {
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
