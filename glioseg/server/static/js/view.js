// The picture: NiiVue with the scan's sequences, the mask as its drawing, and our outlines on top.
import { attach, create, HEAT, volumeOf } from "./niivue.js";
import { Lines } from "./outline.js";
import { AXIAL, hit, screenOf } from "./place.js";
import { Slices } from "./slices.js";
import { coloursOf } from "./voxels/labels.js";
import { Layer } from "./voxels/layer.js";

const DRAG = { window: 9, pan: 3, crosshair: 8 };
const PLANES = { axial: 0, multi: 3, render: 4 };

export class View {
  constructor(canvas, lines) {
    this.canvas = canvas;
    this.lines = new Lines(lines);
    this.onSlice = () => {};
    this.onWindow = () => {};
    this.onStroke = () => {}; // (yes): a stroke is under way, or has ended
    this.onDraw = () => {};
    this.shown = { predicted: true, true: true };
    this.tool = "window";
    this.planes = "axial";
    this.slice = 0;
    this.masks = {};
    this.images = {};
    this.colours = coloursOf([{ value: 1 }]);
    this.quiet = false;
    new ResizeObserver(() => this.nv?.resizeListener()).observe(canvas);
  }

  // layer(name): comes to the bytes of a layer. Nothing is drawn before draw().
  async open(scan, layer) {
    this.close();
    this.scan = scan;
    this.layer = layer;
    const [count, height, width] = scan.shape;
    Object.assign(this, { count, height, width, images: {}, masks: {}, slice: Math.floor(count / 2), heat: null, heatOpacity: 0, planes: "axial" });
    await this.start();
    this.hold();
    this.nv.setPan2Dxyzmm([0, 0, 0, 1]);
    await this.setChannel("flair");
    this.setPlanes("axial");
    this.setTool("window");
    this.setSlice(this.slice);
  }

  // One drawing at the end instead of one a step: without a graphics card each takes a while.
  hold() {
    this.quiet = true;
  }

  draw() {
    this.quiet = false;
    this.nv.drawScene();
  }

  close() {
    this.stroking = false;
    if (this.frame) cancelAnimationFrame(this.frame);
    this.frame = null;
    if (!this.nv) return;
    this.nv.closeDrawing();
    for (const volume of [...this.nv.volumes]) this.nv.removeVolume(volume);
    this.slices.forget();
    this.masks = {};
    this.mask = this.stale = null;
    this.lines.clear();
    this.scan = null;
  }

  // Compiling the shaders takes a while: it runs beside the upload.
  start() {
    this.starting ??= this._start();
    return this.starting;
  }

  async _start() {
    const nv = await create();
    const draw = nv.drawScene.bind(nv);
    nv.drawScene = () => {
      if (this.quiet || !this.slices.layer) return "";
      this.slices.ready({ ...this.window, heatOpacity: this.heatOpacity, heatFrom: HEAT.least });
      const text = draw();
      this._paintLines();
      this.onDraw();
      return text;
    };
    this.hold(); // there is nothing to draw yet
    await attach(nv, this.canvas);
    this.nv = nv;
    this.slices = new Slices(nv);
    nv.drawOpacity = 0;
    nv.onLocationChange = () => this._followCrosshair();
    nv.onIntensityChange = () => this.tellWindow();
    // NiiVue uploads the whole drawing whenever it changes; here it is the slices that changed.
    nv.refreshDrawing = (draw = true) => {
      this._upload();
      if (draw) nv.drawScene();
    };
  }

  _stale(first, last) {
    const known = this.stale ?? [first, last];
    this.stale = [Math.max(0, Math.min(known[0], first)), Math.min(this.count - 1, Math.max(known[1], last))];
    this.lines.forget("predicted");
  }

  _upload() {
    const { gl, drawTexture } = this.nv;
    if (!this.stale || !drawTexture || !this.mask) return;
    const [first, last] = this.stale;
    const { size, voxels } = this.mask;
    this.stale = null;
    gl.activeTexture(gl.TEXTURE7); // where NiiVue's shaders look for the drawing
    gl.bindTexture(gl.TEXTURE_3D, drawTexture);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    const part = voxels.subarray(first * size, (last + 1) * size);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, first, this.width, this.height, last - first + 1, gl.RED, gl.UNSIGNED_BYTE, part);
  }

  // These slices of the mask have changed: they are drawn with the next frame, however many strokes come until then.
  painted(first, last) {
    this._stale(first, last);
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      if (this.mask) this.nv.refreshDrawing(true);
    });
  }

  // These slices of the mask have changed; one of them is shown then.
  refresh(positions) {
    for (const z of positions) {
      if (this.stale && (z < this.stale[0] - 1 || z > this.stale[1] + 1)) this._upload();
      this._stale(z, z);
    }
    this._upload();
    if (positions.length && !positions.includes(this.slice)) this.setSlice(positions[Math.floor(positions.length / 2)]);
    else this.nv.drawScene();
  }

  async _image(name) {
    const bounds = this.scan.windows[name];
    return (this.images[name] ??= new Layer(await this.layer(name), bounds));
  }

  async setChannel(name) {
    this.wanted = name;
    const image = await this._image(name);
    if (this.wanted !== name) return; // another was chosen while this one was coming
    this.channel = name;
    this.slices.show(image);
    await this._volumes();
    this.tellWindow();
  }

  // NiiVue's own volumes: the extent of the scan, and only where there is a view in 3-D something to see in it.
  async _volumes() {
    const solid = this.planes !== "axial";
    const names = [this.channel, ...(solid && this.heatOpacity ? ["probability"] : [])];
    const wanted = (this.volumesWanted = {});
    const volumes = await Promise.all(names.map(async (name) => volumeOf(name, await this._image(name), solid)));
    if (this.volumesWanted !== wanted) return;
    const { nv } = this;
    const [back, ...overlays] = volumes;
    const image = this.images[this.channel];
    [back.cal_min, back.cal_max] = image.window.map((value) => image.toUnits(value));
    for (const overlay of overlays) overlay.opacity = this.heatOpacity;
    Object.assign(nv, { volumes, back, overlays });
    nv.updateGLVolume();
  }

  async setHeat(on, opacity) {
    this.heatOpacity = on ? opacity : 0; // what is wanted may change while the map is coming
    if (on && !this.heat) {
      const image = await this._image("probability");
      if (!this.heat) this.slices.setHeat((this.heat = image), this.nv.colormap(HEAT.colormap));
    }
    await this._volumes();
  }

  // A layer that has become another one is fetched again when it is needed.
  async forget(layer) {
    const { heat } = this;
    delete this.images[layer];
    if (layer !== "probability" || !heat) return;
    this.heat = null;
    if (this.heatOpacity) await this.setHeat(true, this.heatOpacity);
  }

  // colours: {predicted, true}, by label.
  setColours(colours) {
    if (JSON.stringify(colours) === JSON.stringify(this.colours)) return;
    this.colours = colours;
    const lut = new Uint8ClampedArray(4 * 256).fill(255);
    lut[3] = 0; // background
    for (const [label, colour] of Object.entries(colours.predicted)) {
      lut.set([1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16)), 4 * label);
    }
    this.nv.drawLut = { lut, labels: Array.from({ length: 256 }, () => "") };
    this.nv.updateGLVolume();
  }

  setTruth(voxels) {
    this.masks.true = voxels;
    this.lines.forget("true");
    this.nv.drawScene();
  }

  // mask: a Mask, whose voxels the pen changes from now on.
  setMask(mask) {
    const { nv } = this;
    nv.drawTexture = nv.r8Tex(nv.drawTexture, nv.gl.TEXTURE7, [3, ...this.dimensions]);
    this.mask = this.masks.predicted = mask;
    nv.drawBitmap = mask.voxels;
    this.stale = null;
    this._stale(0, this.count - 1);
    nv.refreshDrawing(true);
  }

  setSlice(position) {
    this.slice = Math.max(0, Math.min(this.count - 1, position));
    this.nv.scene.crosshairPos[2] = (this.slice + 0.5) / this.count;
    this.nv.drawScene();
    this.onSlice(this.slice);
  }

  // To a voxel [x, y, z], which the crosshair points at in three planes.
  goTo(voxel) {
    const { scene } = this.nv;
    voxel.forEach((value, axis) => (scene.crosshairPos[axis] = (value + 0.5) / this.dimensions[axis]));
    this.setSlice(voxel[2]);
  }

  // Whether the slice of a plane that holds a point is the one that is shown.
  shows(exact, plane) {
    const axis = 2 - plane;
    return Math.floor(exact[axis]) === Math.floor(this.nv.scene.crosshairPos[axis] * this.dimensions[axis]);
  }

  _followCrosshair() {
    if (!this.scan) return;
    const slice = Math.min(this.count - 1, Math.floor(this.nv.scene.crosshairPos[2] * this.count));
    if (slice !== this.slice) {
      this.slice = slice;
      this.onSlice(slice);
    }
  }

  setShown(name, on) {
    this.shown[name] = on;
    this.setFill(this.fill ?? 0);
  }

  setFill(opacity) {
    this.fill = opacity;
    // Outlines are drawn on axial slices only; other views show the mask as a fill.
    const least = this.planes === "axial" ? 0 : 0.35;
    this.nv.drawOpacity = this.shown.predicted ? Math.max(opacity, least) : 0;
    this.nv.drawScene();
  }

  setWindow(low, high) {
    const image = this.images[this.channel];
    image.window = [low, Math.max(high, low + 1e-6)];
    [this.nv.volumes[0].cal_min, this.nv.volumes[0].cal_max] = image.window.map((value) => image.toUnits(value));
    this.nv.updateGLVolume();
  }

  // The values that are black and white now; a drag in the picture changes those of NiiVue's volume.
  get window() {
    const image = this.images[this.channel];
    const [volume] = this.nv.volumes;
    return image && volume ? { low: image.fromUnits(volume.cal_min), high: image.fromUnits(volume.cal_max) } : null;
  }

  tellWindow() {
    const { window } = this;
    if (!window) return;
    this.images[this.channel].window = [window.low, window.high];
    this.onWindow(window.low, window.high, this.channel);
  }

  setPlanes(planes) {
    this.planes = planes;
    // In 3-D NiiVue still knows the place of the last axial slice, where an outline has no business.
    this.lines.canvas.hidden = planes === "render";
    this.nv.opts.crosshairWidth = planes === "axial" ? 0 : 0.3;
    this.nv.setSliceType(PLANES[planes]);
    this.setFill(this.fill ?? 0);
    this.setTool(this.tool);
    return this._volumes();
  }

  // What a drag in the picture does, as far as NiiVue does it; tools of our own take the pointer before it (tools.js).
  setTool(tool) {
    this.tool = tool;
    const window = this.planes === "axial" && tool === "window";
    this.nv.opts.dragModePrimary = tool === "pan" ? DRAG.pan : window ? DRAG.window : DRAG.crosshair;
    this.canvas.dataset.tool = tool;
  }

  zoomBy(factor) {
    const [x, y, z, zoom] = this.nv.scene.pan2Dxyzmm;
    this.nv.setPan2Dxyzmm([x, y, z, Math.max(0.5, Math.min(16, zoom * factor))]);
    if (this.planes === "render") this.nv.setScale(this.nv.scene.volScaleMultiplier * factor);
  }

  reset() {
    this.nv.setPan2Dxyzmm([0, 0, 0, 1]);
    const bounds = this.scan.windows[this.channel];
    if (bounds) this.setWindow(bounds.low, bounds.high);
    this.tellWindow();
  }

  // In the middle of a stroke nothing else changes the mask.
  beginStroke() {
    this.stroking = true;
    this.onStroke(true);
  }

  // step: {kind, ...} of what was done, if it was no stroke of the brush.
  endStroke(step = {}) {
    if (!this.stroking) return;
    this.stroking = false;
    this.onStroke(false, step);
    this.nv.drawScene();
  }

  // The voxel at a place of the window: {voxel: [x, y, z], plane, scale}, or null where there is no slice. Beside the
  // head the voxel lies outside the scan. plane: 0 axial, 1 coronal, 2 sagittal; scale: see scaleOf.
  hit(clientX, clientY) {
    return this.mask && this.planes !== "render" ? hit(this, clientX, clientY) : null;
  }

  // The other way round: a point in voxels, by default on an axial slice, in pixels of the canvas on the page.
  screenOf(exact, plane = AXIAL) {
    return screenOf(this, exact, plane);
  }

  // The voxels of a layer in the order of the mask; of three colours there is no one value, so FLAIR stands for them.
  async valuesOf(layer) {
    return (await this._image(layer)).img;
  }

  // Whether a scan is on the screen.
  get drawn() {
    return Boolean(this.scan && this.slices?.layer) && !this.quiet;
  }

  get measured() {
    return this.channel === "rgb" ? "flair" : this.channel;
  }

  get dimensions() {
    return [this.width, this.height, this.count];
  }

  _paintLines() {
    if (!this.scan) return;
    const layers = [];
    if (this.shown.true && this.masks.true) {
      layers.push({ name: "true", mask: this.masks.true, colours: this.colours.true, width: 3 });
    }
    if (this.shown.predicted && this.masks.predicted && this.nv.drawBitmap) {
      layers.push({ name: "predicted", mask: this.nv.drawBitmap, colours: this.colours.predicted, width: 1.5 });
    }
    this.lines.paint(this.nv, layers, this.slice, [this.width, this.height], this.scan.axial);
  }
}
