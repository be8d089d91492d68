// NiiVue, set up as this page needs it: without what it would compute and draw for nothing.
import { Refusal } from "./api.js";
import { t } from "./i18n.js";
import { UNITS } from "./voxels/layer.js";

const SOLID = 1 << 22; // most voxels of what is shown in 3-D
export const HEAT = { colormap: "inferno", least: 0.05 };

// NiiVue is large: it comes while the page already talks to the server.
function library() {
  const script = document.getElementById("niivue-library");
  if (window.niivue) return null;
  return new Promise((resolve, reject) => {
    script.addEventListener("load", resolve);
    script.addEventListener("error", () => reject(new Error(`${script.src} did not load`)));
  });
}

// Nothing is drawn and no shader compiled before attach().
export async function create() {
  await library();
  return new niivue.Niivue({
    isRadiologicalConvention: true,
    dragAndDropEnabled: false,
    backColor: [0, 0, 0, 1],
    crosshairWidth: 0,
    crosshairWidthUnit: "percent",
    crosshairColor: [1, 0.8, 0.2, 0.8],
    isNearestInterpolation: false,
    loadingText: "",
    logLevel: "error",
    ...{ viewModeHotKey: "", clipPlaneHotKey: "", cycleClipPlaneHotKey: "" },
    isColorbar: false,
    isOrientationTextVisible: false, // its letters stand half outside
  });
}

export async function attach(nv, canvas) {
  nv.meshShaders = []; // there are no meshes, and each shader takes time to compile
  try {
    await nv.attachToCanvas(canvas);
  } catch (error) {
    if (nv.gl) throw error;
    const [expected, found, cure] = ["WebGL 2", t("nothing"), t("webgl_cure")];
    throw new Refusal(0, [{ where: t("browser"), expected, found, cure }]);
  }
  // NiiVue computes gradients with every layer and every window, for a light in the 3-D view that is not used
  // here. Without a graphics card that takes longer than all the rest; a shader of one colour takes nothing.
  nv.blurShader = nv.sobelFirstOrderShader = { use: (gl) => nv.rectShader.use(gl), uniforms: {} };
}

// A volume of NiiVue made of a layer, in units of it.
export function volumeOf(name, layer, solid) {
  const kind = solid ? "solid" : "hollow";
  const options = { name: `${name}.nii`, url: `${name}.nii`, colormap: "gray" };
  if (name === "probability") Object.assign(options, { colormap: HEAT.colormap, cal_min: HEAT.least * UNITS, cal_max: UNITS });
  return (layer[kind] ??= niivue.NVImage.loadFromUrl({ ...options, buffer: solid ? layer.reduced(SOLID) : layer.box() }));
}
