// Fingers on the picture: two zoom and move it; one goes through the slices, unless a tool of this page has it.
import { hit, screenOf } from "./place.js";
import { PLANE_AXES } from "./voxels/brush.js";

const STEPS = [4, 14]; // pixels of the page that a finger goes from one slice to the next, of many slices and of few
const ZOOMS = [0.5, 16];

const middle = ([one, other]) => [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2];
const apart = ([one, other]) => Math.max(1, Math.hypot(one[0] - other[0], one[1] - other[1]));

// A finger that goes up or down over a picture so high, through so many slices: gives a function that takes where it
// is and calls step(slices).
export function walking(from, { height, count }, step) {
  const pixels = Math.max(STEPS[0], Math.min(STEPS[1], height / count));
  let last = from;
  return (now) => {
    const by = Math.trunc((last - now) / pixels);
    if (!by) return;
    last -= by * pixels;
    step(by);
  };
}

// drawing(): whether the first finger belongs to a tool; abandon(): that tool shall forget what the finger began.
export function takeTouch(stage, view, { drawing, abandon }) {
  const fingers = new Map(); // by their id, [x, y]
  let gesture = null; // {move()}, from the first finger that is not a tool's to the last that leaves
  const on = (kind, listener) => stage.addEventListener(kind, listener, { capture: true, passive: false });
  const take = (event) => {
    event.preventDefault();
    event.stopImmediatePropagation();
  };
  const isFinger = (event) => event.pointerType === "touch" && event.target === view.canvas && view.scan;

  on("pointerdown", (event) => {
    if (!isFinger(event)) return;
    if (event.isPrimary) {
      fingers.clear(); // the ends of earlier ones may have gone elsewhere
      gesture = null;
    }
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (fingers.size === 2) {
      abandon();
      gesture = { move: pinching(view, [...fingers.values()]) };
    } else if (fingers.size === 1 && !drawing() && view.planes === "axial") gesture = { move: oneFinger(view, event) };
    if (gesture) take(event);
  });
  on("pointermove", (event) => {
    if (!fingers.has(event.pointerId)) return;
    fingers.set(event.pointerId, [event.clientX, event.clientY]);
    if (!gesture) return;
    take(event);
    gesture.move?.([...fingers.values()]);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    on(kind, (event) => {
      if (!fingers.delete(event.pointerId)) return;
      if (!gesture) return;
      take(event);
      gesture = fingers.size ? {} : null; // the finger that stays behind does nothing
    });
  }
  // What the browser tells older pages of the same fingers, such as NiiVue. Their end comes after the pointer's.
  for (const kind of ["touchstart", "touchmove"]) on(kind, (event) => gesture && event.target === view.canvas && take(event));
}

// With the tool that moves the picture one finger does what two do.
function oneFinger(view, { clientX, clientY }) {
  if (view.tool === "pan") {
    const from = [[clientX, clientY], [clientX, clientY]];
    const pinch = pinching(view, from);
    return ([finger]) => pinch([finger, finger]);
  }
  const size = { height: view.canvas.clientHeight, count: view.count };
  const walk = walking(clientY, size, (by) => view.setSlice(view.slice + by));
  return ([[, y]]) => walk(y);
}

// The point of the scan between the fingers stays between them.
function pinching(view, from) {
  const { scene } = view.nv;
  const [fromX, fromY] = middle(from);
  const start = [...scene.pan2Dxyzmm];
  const spacing = view.scan.spacing ? [...view.scan.spacing].reverse() : [1, 1, 1]; // x, y, z
  const found = view.planes === "render" ? null : hit(view, fromX, fromY);
  // Of each direction on the page: its axis, and the pixels that a millimetre takes, negative where the axis runs back.
  const axes = found
    ? PLANE_AXES[found.plane].slice(0, 2).map((axis, direction) => {
        const next = found.exact.map((value, at) => value + (at === axis ? 1 : 0));
        const step = screenOf(view, next, found.plane)[direction] - screenOf(view, found.exact, found.plane)[direction];
        return { axis, scale: step / spacing[axis] / start[3] };
      })
    : [];
  let zoomed = 1;
  return (fingers) => {
    if (fingers.length < 2) return;
    const factor = apart(fingers) / apart(from);
    if (view.planes === "render") {
      view.zoomBy(factor / zoomed);
      zoomed = factor;
      return;
    }
    const zoom = Math.max(ZOOMS[0], Math.min(ZOOMS[1], start[3] * factor));
    const pan = start.slice(0, 3);
    const centre = middle(fingers);
    axes.forEach(({ axis, scale }, direction) => {
      const gone = centre[direction] - [fromX, fromY][direction];
      const millimetres = (found.exact[axis] - 0.5) * spacing[axis];
      pan[axis] += gone / scale - millimetres * (zoom - start[3]);
    });
    view.nv.setPan2Dxyzmm([...pan, zoom]);
  };
}
