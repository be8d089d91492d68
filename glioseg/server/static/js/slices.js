// Draws slices for NiiVue from the voxels as they came. NiiVue itself would make four colours of each voxel, with every
// layer and every change of the window: of a large scan, and without a graphics card, that takes many seconds.

const VALUES = 11; // numbers of texture units that NiiVue does not use
const HEAT = 12;
const HEAT_COLOURS = 13;
const [COLOURMAP, DRAWING] = [1, 7]; // and of those where NiiVue keeps its colours and the drawing

// In a plane between voxels, across planes the voxel itself: as slices are looked at. Values are of whole numbers or not.
const shader = (sampler) => `#version 300 es
precision highp int;
precision highp float;
uniform highp ${sampler} values;
uniform highp sampler3D drawing;
uniform highp sampler3D heat;
uniform highp sampler2D colormap;
uniform highp sampler2D heatColours;
uniform int axCorSag;
uniform bool colours;
uniform float low;
uniform float high;
uniform float heatFrom;
uniform float heatOpacity;
uniform float drawOpacity;
uniform float opacity;
in vec3 texPos;
out vec4 color;

vec3 valueAt(ivec3 voxel) {
  return vec3(texelFetch(values, clamp(voxel, ivec3(0), textureSize(values, 0) - 1), 0).rgb);
}

vec4 lesion() {
  float rows = float(textureSize(colormap, 0).y);
  float label = texture(drawing, texPos).r * 255.0;
  return texture(colormap, vec2((label + 0.5) / 256.0, (rows - 0.5) / rows)) * vec4(1.0, 1.0, 1.0, drawOpacity);
}

void main() {
  vec3 place = texPos * vec3(textureSize(values, 0)) - 0.5;
  ivec3 right = axCorSag == 2 ? ivec3(0, 1, 0) : ivec3(1, 0, 0);
  ivec3 up = axCorSag == 0 ? ivec3(0, 1, 0) : ivec3(0, 0, 1);
  ivec3 across = ivec3(1) - right - up;
  place = mix(place, floor(place + 0.5), vec3(across));
  ivec3 first = ivec3(floor(place));
  float along = dot(fract(place), vec3(right));
  float over = dot(fract(place), vec3(up));
  vec3 value = mix(
    mix(valueAt(first), valueAt(first + right), along),
    mix(valueAt(first + up), valueAt(first + right + up), along),
    over
  );
  color = vec4(colours ? value / 255.0 : vec3(clamp((value.r - low) / (high - low), 0.0, 1.0)), opacity);
  if (isnan(value.r)) color.rgb = vec3(0.0);
  if (drawOpacity > 0.0) {
    vec4 drawn = lesion();
    color.rgb = mix(color.rgb, drawn.rgb, drawn.a);
  }
  if (heatOpacity > 0.0) {
    float probability = texture(heat, texPos).r;
    float share = (probability - heatFrom) / (1.0 - heatFrom);
    if (share > 0.0) color.rgb = mix(color.rgb, texture(heatColours, vec2(share, 0.5)).rgb, heatOpacity);
  }
}`;

const FORMATS = {
  2: { sampler: "usampler3D", stored: "R8UI", as: "RED_INTEGER", type: "UNSIGNED_BYTE" },
  4: { sampler: "isampler3D", stored: "R16I", as: "RED_INTEGER", type: "SHORT" },
  16: { sampler: "sampler3D", stored: "R32F", as: "RED", type: "FLOAT" },
  128: { sampler: "usampler3D", stored: "RGB8UI", as: "RGB_INTEGER", type: "UNSIGNED_BYTE" },
  512: { sampler: "usampler3D", stored: "R16UI", as: "RED_INTEGER", type: "UNSIGNED_SHORT" },
};
const SHARES = { stored: "R8", as: "RED", type: "UNSIGNED_BYTE" };

export class Slices {
  constructor(nv) {
    this.nv = nv;
    this.shaders = {};
    this.layer = null;
    this.textures = {};
  }

  // layer: see voxels/layer.js. NiiVue draws it from now on.
  show(layer) {
    const { nv } = this;
    const { sampler, ...format } = FORMATS[layer.type];
    if (this.layer === layer) return;
    this.layer = null; // NiiVue draws at once with a new shader, which the present values may not fit
    if (!this.shaders[sampler]) {
      nv.customSliceShader = null; // or NiiVue would delete it
      nv.setCustomSliceShader(shader(sampler));
      this.shaders[sampler] = nv.customSliceShader;
    }
    nv.customSliceShader = this.shaders[sampler];
    this._texture(VALUES, layer, format, "NEAREST");
    this.layer = layer;
  }

  // The probability, for draw(); colours: 256 times four bytes.
  setHeat(layer, colours) {
    const { gl } = this.nv;
    this._texture(HEAT, layer, SHARES, "LINEAR");
    this._replace(HEAT_COLOURS, gl.TEXTURE_2D);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 256, 1, 0, gl.RGBA, gl.UNSIGNED_BYTE, new Uint8Array(colours));
    this._filter(gl.TEXTURE_2D, "LINEAR");
  }

  forget() {
    for (const unit of Object.keys(this.textures)) this.nv.gl.deleteTexture(this.textures[unit]);
    this.textures = {};
    this.layer = null;
  }

  // What NiiVue draws next looks like this: low and high are the values that become black and white, heatFrom the
  // least probability that has a colour.
  ready({ low = 0, high = 1, heatOpacity = 0, heatFrom = 0 }) {
    const { gl, customSliceShader: chosen } = this.nv;
    if (!this.layer) return;
    chosen.use(gl);
    const numbers = { low, high, heatFrom, heatOpacity: this.textures[HEAT] ? heatOpacity : 0 };
    for (const [name, value] of Object.entries(numbers)) gl.uniform1f(chosen.uniforms[name], value);
    const units = { values: VALUES, heat: HEAT, heatColours: HEAT_COLOURS, colormap: COLOURMAP, drawing: DRAWING, colours: Number(this.layer.colours) };
    for (const [name, value] of Object.entries(units)) gl.uniform1i(chosen.uniforms[name], value);
    for (const unit of [VALUES, HEAT, HEAT_COLOURS]) {
      if (!this.textures[unit]) continue;
      gl.activeTexture(gl.TEXTURE0 + unit);
      gl.bindTexture(unit === HEAT_COLOURS ? gl.TEXTURE_2D : gl.TEXTURE_3D, this.textures[unit]);
    }
  }

  _texture(unit, { size, img }, { stored, as, type }, filter) {
    const { gl } = this.nv;
    this._replace(unit, gl.TEXTURE_3D);
    gl.pixelStorei(gl.UNPACK_ALIGNMENT, 1);
    gl.texStorage3D(gl.TEXTURE_3D, 1, gl[stored], ...size);
    gl.texSubImage3D(gl.TEXTURE_3D, 0, 0, 0, 0, ...size, gl[as], gl[type], img);
    this._filter(gl.TEXTURE_3D, filter);
  }

  _replace(unit, target) {
    const { gl } = this.nv;
    gl.deleteTexture(this.textures[unit] ?? null);
    this.textures[unit] = gl.createTexture();
    gl.activeTexture(gl.TEXTURE0 + unit);
    gl.bindTexture(target, this.textures[unit]);
  }

  _filter(target, filter) {
    const { gl } = this.nv;
    for (const name of ["MIN", "MAG"]) gl.texParameteri(target, gl[`TEXTURE_${name}_FILTER`], gl[filter]);
    for (const axis of ["S", "T", "R"]) gl.texParameteri(target, gl[`TEXTURE_WRAP_${axis}`], gl.CLAMP_TO_EDGE);
  }
}
