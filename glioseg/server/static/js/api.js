// Calls to the server. Whatever is wrong becomes a Refusal with the server's faults.
import { WORDS } from "./words.js";

export class Refusal extends Error {
  // series: of a DICOM study, those a person may choose from to cure it.
  constructor(status, faults, { retryAfter = 0, series = null } = {}) {
    super(faults.map((fault) => `${fault.where}: ${fault.found}`).join("; "));
    this.status = status;
    this.faults = faults;
    this.retryAfter = retryAfter;
    this.series = series;
  }
}

function lost() {
  return new Refusal(0, [{ ...noAnswer(WORDS.en), translations: { zh: noAnswer(WORDS.zh) } }]);
}

function noAnswer(words) {
  return { where: words.server, expected: words.no_answer_expected, found: words.no_answer_found, cure: words.no_answer_cure };
}

function refusal(status, text, retryAfter) {
  try {
    const { faults, series } = JSON.parse(text);
    return new Refusal(status, faults, { retryAfter: Number(retryAfter || 0), series });
  } catch {
    return lost();
  }
}

async function ask(method, path, { body, headers, signal } = {}) {
  let reply;
  try {
    reply = await fetch(path, { method, body, headers, signal });
  } catch (error) {
    throw error.name === "AbortError" ? error : lost();
  }
  if (!reply.ok) throw refusal(reply.status, await reply.text(), reply.headers.get("Retry-After"));
  return reply;
}

export async function getJson(path) {
  return (await ask("GET", path)).json();
}

export async function getBytes(path) {
  return (await ask("GET", path)).arrayBuffer();
}

export async function post(path, content, signal) {
  const body = content === undefined ? undefined : JSON.stringify(content);
  const headers = body === undefined ? {} : { "Content-Type": "application/json" };
  return (await ask("POST", path, { body, headers, signal })).json();
}

// Changed slices of a mask, see mask.js; gives the numbers.
export async function patchSlices(path, bytes) {
  const headers = { "Content-Type": "application/octet-stream" };
  return (await ask("PATCH", path, { body: bytes, headers })).json();
}

export async function put(path, content) {
  const headers = { "Content-Type": "application/json" };
  return (await ask("PUT", path, { body: JSON.stringify(content), headers })).json();
}

// A file with the name that the server gives it; "" if it gives none.
export async function getFile(path) {
  const reply = await ask("GET", path);
  const named = /filename\*=UTF-8''([^;]+)/.exec(reply.headers.get("Content-Disposition") ?? "");
  return { blob: await reply.blob(), name: named ? decodeURIComponent(named[1]) : "" };
}

// What the server draws of a file.
export async function getPicture(path, file) {
  const body = new FormData();
  body.append("files", file, file.name);
  return (await ask("POST", path, { body })).blob();
}

export function remove(path) {
  return ask("DELETE", path);
}

// series: of a DICOM study, ["flair=KEY", ...]. Gives a scan, or how many went to the work list: {scans}.
export function upload(files, series, onProgress, signal) {
  return uploadTo("/api/scans?several=list", files, { series, onProgress, signal });
}

// fetch cannot tell how far an upload is.
export function uploadTo(path, files, { series = [], onProgress = () => {}, signal } = {}) {
  const form = new FormData();
  for (const choice of series) form.append("series", choice);
  for (const file of files) form.append("files", file, file.path || file.webkitRelativePath || file.name);
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    request.upload.onprogress = (event) => event.lengthComputable && onProgress(event.loaded / event.total);
    request.onload = () => {
      if (request.status === 201 || request.status === 202) resolve(JSON.parse(request.responseText));
      else reject(refusal(request.status, request.responseText, request.getResponseHeader("Retry-After")));
    };
    request.onerror = () => reject(lost());
    request.onabort = () => reject(new DOMException("cancelled", "AbortError"));
    signal?.addEventListener("abort", () => request.abort());
    request.send(form);
  });
}
