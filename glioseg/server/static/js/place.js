// From places of the window to voxels and back, through the tiles that NiiVue draws.
import { PLANE_AXES } from "./voxels/brush.js";

export const AXIAL = 0;
const SAGITTAL = 2;

// The tiles of a plane: where each is on the canvas, in its pixels, and the matrix that brings voxels there.
// Voxel units: the corner of the first voxel is 0, its middle 0.5. dimensions: voxels across and down.
export function placesOf(nv, plane, [across, down]) {
  const places = [];
  (nv.screenSlices || []).forEach((tile, index) => {
    if (tile.axCorSag !== plane) return;
    const [left, top, wide, high] = tile.leftTopWidthHeight;
    // Well within the tile: at its very corners NiiVue may find itself outside.
    const inner = [left + wide / 4, top + high / 4];
    const first = nv.screenXY2TextureFrac(...inner, index, false);
    const last = nv.screenXY2TextureFrac(inner[0] + wide / 2, inner[1] + high / 2, index, false);
    const [u, v] = PLANE_AXES[plane];
    const scaleX = wide / 2 / ((last[u] - first[u]) * across);
    const scaleY = high / 2 / ((last[v] - first[v]) * down);
    const matrix = new DOMMatrix([scaleX, 0, 0, scaleY, inner[0] - first[u] * across * scaleX, inner[1] - first[v] * down * scaleY]);
    places.push({ index, box: tile.leftTopWidthHeight, matrix });
  });
  return places;
}

// Where a point is on the canvas, in pixels of the page; null while its plane is not shown. exact: x, y, z in voxels,
// in units as above.
export function screenOf({ nv, canvas, dimensions }, exact, plane) {
  const axes = PLANE_AXES[plane].slice(0, 2);
  const [place] = placesOf(nv, plane, axes.map((axis) => dimensions[axis]));
  if (!place) return null;
  const { x, y } = place.matrix.transformPoint(new DOMPoint(...axes.map((axis) => exact[axis])));
  const ratio = canvas.width / Math.max(1, canvas.clientWidth);
  return [x / ratio, y / ratio];
}

// See View.hit; exact: the same in fractions of voxels; scale: pixels of the page that a voxel takes across and down;
// left and top: within the canvas, in pixels of the page.
export function hit({ nv, canvas, dimensions }, clientX, clientY) {
  const frame = canvas.getBoundingClientRect();
  const ratio = canvas.width / Math.max(1, frame.width);
  const [x, y] = [(clientX - frame.left) * ratio, (clientY - frame.top) * ratio];
  const tile = nv.tileIndex(x, y);
  const plane = nv.screenSlices?.[tile]?.axCorSag;
  if (!(plane >= AXIAL && plane <= SAGITTAL)) return null;
  const fractions = nv.screenXY2TextureFrac(x, y, tile, false);
  const exact = [...fractions].slice(0, 3).map((fraction, axis) => fraction * dimensions[axis]);
  const voxel = exact.map(Math.floor);
  const { matrix } = placesOf(nv, plane, PLANE_AXES[plane].map((axis) => dimensions[axis])).find(({ index }) => index === tile);
  const scale = [Math.abs(matrix.a) / ratio, Math.abs(matrix.d) / ratio];
  const inside = voxel.every((value, axis) => value >= 0 && value < dimensions[axis]);
  return { voxel, exact, plane, scale, inside, left: clientX - frame.left, top: clientY - frame.top };
}
