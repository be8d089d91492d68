// A layer as the server sends it: NIfTI-1, uncompressed, stored along RAS+ axes, with a scale but no other turning.

const HEADER = 352; // bytes before the voxels
// By the code of the type: how the voxels are read, and whether they are colours.
const TYPES = { 2: Uint8Array, 4: Int16Array, 16: Float32Array, 128: Uint8Array, 512: Uint16Array };
const [SHORT, COLOURS] = [4, 128];

// Volumes that are made of a layer hold values in which the usual window reaches from 0 to UNITS.
export const UNITS = 1000;
const [LOWEST, HIGHEST] = [-UNITS, 8 * UNITS];

export class Layer {
  // buffer: the file; low, high: the values that are black and white at first.
  constructor(buffer, { low = 0, high = 255 } = {}) {
    const view = new DataView(buffer);
    this.header = buffer.slice(0, HEADER);
    this.type = view.getInt16(70, true);
    this.size = [1, 2, 3].map((axis) => view.getInt16(40 + 2 * axis, true)); // x, y, z
    this.img = new TYPES[this.type](buffer, HEADER);
    Object.assign(this, { low, high, window: [low, high] });
  }

  get colours() {
    return this.type === COLOURS;
  }

  toUnits(value) {
    return ((value - this.low) / (this.high - this.low)) * UNITS;
  }

  fromUnits(value) {
    return this.low + (value / UNITS) * (this.high - this.low);
  }

  // A file of the same extent in space with at most so many voxels, each the voxel of the layer at its middle.
  reduced(most) {
    const size = [...this.size];
    while (size[0] * size[1] * size[2] > most) {
      const longest = size.indexOf(Math.max(...size));
      size[longest] = Math.ceil(size[longest] / 2);
    }
    const { colours, img } = this;
    const each = colours ? 3 : 1;
    const values = new (colours ? Uint8Array : Int16Array)(each * size[0] * size[1] * size[2]);
    const [columns, rows, slices] = size.map((count, axis) => Array.from({ length: count }, (_, at) => Math.floor(((at + 0.5) * this.size[axis]) / count)));
    let place = 0;
    for (const z of slices) {
      for (const y of rows) {
        const row = (z * this.size[1] + y) * this.size[0];
        for (const x of columns) {
          const from = each * (row + x);
          if (colours) for (let at = 0; at < 3; at++) values[place++] = img[from + at];
          else values[place++] = Math.max(LOWEST, Math.min(HIGHEST, this.toUnits(img[from])));
        }
      }
    }
    return this._file(size, values);
  }

  // The same extent in space, and nothing to see.
  box() {
    const values = this.colours ? new Uint8Array(24) : Int16Array.from({ length: 8 }, (_, at) => (at ? HIGHEST : LOWEST));
    return this._file([2, 2, 2], values);
  }

  _file(size, values) {
    const file = new Uint8Array(HEADER + values.byteLength);
    file.set(new Uint8Array(this.header));
    file.set(new Uint8Array(values.buffer), HEADER);
    const view = new DataView(file.buffer);
    if (!this.colours) {
      view.setInt16(70, SHORT, true);
      view.setInt16(72, 16, true);
    }
    view.setFloat32(112, 1, true); // scale
    size.forEach((count, axis) => {
      const before = view.getFloat32(80 + 4 * axis, true);
      const side = (before * this.size[axis]) / count;
      view.setInt16(42 + 2 * axis, count, true);
      view.setFloat32(80 + 4 * axis, side, true);
      view.setFloat32(280 + 20 * axis, side, true); // the diagonal of the affine, and the middle of the first voxel
      view.setFloat32(292 + 16 * axis, (side - before) / 2, true);
    });
    return file.buffer;
  }
}
