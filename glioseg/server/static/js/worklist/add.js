// Files for the list go to the server in several messages: a folder of many patients is too large for one.
import { uploadTo } from "../api.js";

const MOST_FILES = 2000;
const MOST_BYTES = 256 * 1024 * 1024;

// Files in groups that are small enough; a larger file goes alone.
export function batches(files, mostFiles = MOST_FILES, mostBytes = MOST_BYTES) {
  const groups = [];
  let bytes = 0;
  for (const file of files) {
    const last = groups[groups.length - 1];
    if (!last || last.length >= mostFiles || bytes + file.size > mostBytes) {
      groups.push([file]);
      bytes = file.size;
    } else {
      last.push(file);
      bytes += file.size;
    }
  }
  return groups;
}

// Whether files are too many or too large for one message to a server with its usual limits.
export function isLarge(files) {
  return files.length > 2 * MOST_FILES || files.reduce((sum, file) => sum + file.size, 0) > 3 * MOST_BYTES;
}

// onProgress(share); gives how many scans were found.
export async function add(files, onProgress) {
  const groups = batches(files);
  const all = files.reduce((sum, file) => sum + file.size, 0) || 1;
  let batch = "";
  let sent = 0;
  let found = null;
  for (const [place, group] of groups.entries()) {
    const more = place < groups.length - 1;
    const size = group.reduce((sum, file) => sum + file.size, 0);
    const query = new URLSearchParams({ more, ...(batch && { batch }) });
    found = await uploadTo(`/api/worklist?${query}`, group, { onProgress: (share) => onProgress((sent + share * size) / all) });
    ({ batch } = found);
    sent += size;
  }
  return found.scans;
}
