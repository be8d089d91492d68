// Outlines as thin lines over the picture, exact to the voxel, in the picture's own zoom and position.
import { AXIAL, placesOf } from "./place.js";

const FACTS = 38; // pixels at the lower edge that a line of facts may cover
const SIDES = ["ALPR", "SLIR", "SAIP"]; // above, right, below, left: of axial, coronal and sagittal slices

// Edges between voxels of one label and others, [x, y, x, y] each, in voxel units of the stored (RAS+) order: a Map
// from each label of the slice to its edges.
export function outlineEdges(mask, slice, width, height) {
  const edges = new Map();
  const start = slice * width * height;
  const at = (x, y) => (x >= 0 && y >= 0 && x < width && y < height ? mask[start + y * width + x] : 0);
  const add = (label, edge) => {
    if (!label) return;
    if (!edges.has(label)) edges.set(label, []);
    edges.get(label).push(edge);
  };
  for (let y = 0; y <= height; y++) {
    for (let x = 0; x <= width; x++) {
      const here = at(x, y);
      for (const [other, edge] of [[at(x - 1, y), [x, y, x, y + 1]], [at(x, y - 1), [x, y, x + 1, y]]]) {
        if (here === other) continue;
        add(here, edge);
        add(other, edge);
      }
    }
  }
  return edges;
}

// Of each label its outline.
function outlinePaths(mask, slice, width, height) {
  return [...outlineEdges(mask, slice, width, height)].map(([label, edges]) => {
    const path = new Path2D();
    for (const [x, y, toX, toY] of edges) {
      path.moveTo(x, y);
      path.lineTo(toX, toY);
    }
    return [label, path];
  });
}

export class Lines {
  constructor(canvas) {
    this.canvas = canvas;
    this.cache = new Map();
  }

  forget(name) {
    this.cache.delete(name);
  }

  // Nothing is drawn, and nothing is remembered.
  clear() {
    this.cache.clear();
    this._empty(this.canvas.width, this.canvas.height);
  }

  // A size that is set makes a new bitmap. An accelerated canvas on which nothing is drawn afterwards may even so go
  // on showing what it showed before: it is shown only while there is something on it.
  _empty(width, height) {
    this.canvas.width = width;
    this.canvas.height = height;
    this.canvas.style.visibility = "hidden";
  }

  // layers: [{name, mask, colours, width}], colours by label; slice counts from 0; sides: whether those of the patient
  // are known.
  paint(nv, layers, slice, [width, height], sides = false) {
    const { canvas } = this;
    this._empty(nv.canvas.width, nv.canvas.height);
    const context = canvas.getContext("2d", { willReadFrequently: true });
    const ratio = nv.canvas.width / Math.max(1, nv.canvas.clientWidth);
    for (const { box, matrix } of placesOf(nv, AXIAL, [width, height])) {
      const [left, top, wide, high] = box;
      context.save();
      context.beginPath();
      context.rect(Math.min(left, left + wide), Math.min(top, top + high), Math.abs(wide), Math.abs(high));
      context.clip();
      for (const layer of layers) {
        for (const [label, outline] of this._paths(layer, slice, width, height)) {
          canvas.style.visibility = "";
          const path = new Path2D();
          path.addPath(outline, matrix);
          context.lineWidth = layer.width * ratio;
          context.lineCap = "square";
          context.strokeStyle = layer.colours[label];
          context.stroke(path);
        }
      }
      context.restore();
    }
    if (sides) this._sides(context, nv.screenSlices ?? [], ratio);
  }

  // Where right and left, front and back, head and feet are, on all sides of each tile.
  _sides(context, tiles, ratio) {
    this.canvas.style.visibility = "";
    Object.assign(context, { lineWidth: 3 * ratio, lineJoin: "round", strokeStyle: "#000", fillStyle: "#f2f2d8", textAlign: "center", textBaseline: "middle" });
    for (const { axCorSag: plane, leftTopWidthHeight: [left, top, wide, high] } of tiles) {
      const [above, right, below, before] = SIDES[plane] ?? "";
      const edge = Math.min(12 * ratio, high / 8); // letters are small where tiles are low
      context.font = `600 ${1.25 * edge}px system-ui, sans-serif`;
      // Above the line of facts that lies over the lower edge of the picture.
      const lowest = Math.max(0.66 * high, Math.min(high - edge, this.canvas.height - FACTS * ratio - top));
      const places = [[above, 0.5 * wide, edge], [right, wide - edge, 0.5 * high], [below, 0.5 * wide, lowest], [before, edge, 0.5 * high]];
      for (const [letter, x, y] of places) {
        if (!letter) continue;
        context.strokeText(letter, left + x, top + y);
        context.fillText(letter, left + x, top + y);
      }
    }
  }

  // The outlines of a layer, [label, path] each.
  _paths({ name, mask }, slice, width, height) {
    const known = this.cache.get(name);
    if (known && known.slice === slice) return known.paths;
    const paths = outlinePaths(mask, slice, width, height);
    this.cache.set(name, { slice, paths });
    return paths;
  }
}
