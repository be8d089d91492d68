// The first picture of a scan: one slice, long before all of them are here, and without shaders.
import { getPicture } from "./api.js";

const SLICE = /\.(tiff?|png|jpe?g)$/i;
const MASK = /mask/i;
const FEW = 500_000; // bytes that are sent as quickly as one slice

// What was drawn stands on the screen a frame later; a page in the background has no frames.
export function painted() {
  return document.hidden ? null : new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)));
}

export class FirstPicture {
  constructor(image) {
    this.image = image;
  }

  // While many slices are on their way to the server, the one in the middle goes ahead.
  async ahead(files) {
    const slices = files.filter(({ name }) => SLICE.test(name) && !MASK.test(name));
    if (slices.length < 3 || slices.reduce((sum, { size }) => sum + size, 0) < FEW) return;
    slices.sort((one, other) => one.name.localeCompare(other.name, "en", { numeric: true }));
    const wanted = (this.wanted = {});
    const picture = await getPicture("/api/preview", slices[Math.floor(slices.length / 2)]).catch(() => null);
    if (picture && this.wanted === wanted) await this._show(URL.createObjectURL(picture));
  }

  // A slice of a scan that the server has.
  async of(scan) {
    this.wanted = null;
    await this._show(`/api/scans/${scan.id}/slices/${Math.floor(scan.shape[0] / 2)}.png`);
  }

  hide() {
    this.wanted = null;
    this.image.hidden = true;
  }

  // Whether it can be shown is no matter.
  async _show(source) {
    const wanted = this.wanted;
    const coming = new Image();
    coming.src = source;
    await coming.decode().catch(() => {});
    if (!coming.naturalWidth || this.wanted !== wanted) return;
    if (this.image.src.startsWith("blob:")) URL.revokeObjectURL(this.image.src);
    this.image.src = source;
    await this.image.decode().catch(() => {});
    this.image.hidden = false;
    document.documentElement.dataset.shown = "true";
  }
}
