// From where a scan comes to a scan on the server with a mask. A source says enough to bring it there once more:
// {kind: "files", files, series}, {kind: "sample", name}, {kind: "run", run, patient}, {kind: "row", row} of the work
// list, or {kind: "id", id}.
import { getJson, post, Refusal, upload } from "./api.js";
import { choose, chosen } from "./learning/choice.js";

// onProgress(word, values, share): what is being done.
export function create(source, { signal, onProgress = () => {} } = {}) {
  if (source.kind === "sample") return post(`/api/samples/${encodeURIComponent(source.name)}`, undefined, signal);
  if (source.kind === "run") {
    const [run, patient] = [source.run, source.patient].map(encodeURIComponent);
    return post(`/api/runs/${run}/patients/${patient}`, undefined, signal);
  }
  if (source.kind === "row") return post(`/api/worklist/${encodeURIComponent(source.row)}/open`, undefined, signal);
  if (source.kind === "id") return getJson(`/api/scans/${encodeURIComponent(source.id)}`);
  const uploading = (share) => {
    if (share < 1) onProgress("uploading", { percent: Math.round(100 * share) }, share);
    else onProgress("reading");
  };
  return upload(source.files, source.series, uploading, signal);
}

// The scan, whether the server still has it or has to be given it again.
export async function again(id, source, options) {
  try {
    return await getJson(`/api/scans/${encodeURIComponent(id)}`);
  } catch (error) {
    if (!isGone(error) || source.kind === "id") throw error;
    return create(source, options);
  }
}

export function isGone(error) {
  return error instanceof Refusal && error.status === 404;
}

// Waits for its turn; gives the numbers of the mask. choice: what is asked for, by default what was chosen in the page.
export async function segment(id, { signal, choice = null, onProgress = () => {} } = {}) {
  const timer = setInterval(async () => {
    const info = await getJson(`/api/scans/${id}`).catch(() => null);
    if (!info || signal?.aborted || info.state === "done") return;
    if (info.state === "queued") onProgress("waiting", { ahead: info.ahead });
    if (info.state === "running") onProgress("segmenting", { percent: Math.round(100 * info.progress) }, info.progress);
  }, 700);
  try {
    for (;;) {
      try {
        return await post(`/api/scans/${id}/segment`, choice ?? chosen(), signal);
      } catch (error) {
        if (error.faults?.[0]?.code === "server.unknown_model") {
          choose({}); // it went with another server
          continue;
        }
        if (!(error instanceof Refusal) || error.status !== 429) throw error;
        onProgress("full", { seconds: error.retryAfter });
        await new Promise((resolve) => setTimeout(resolve, 1000 * error.retryAfter));
        signal?.throwIfAborted();
      }
    }
  } finally {
    clearInterval(timer);
  }
}
