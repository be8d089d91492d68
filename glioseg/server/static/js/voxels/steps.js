// Steps of a crosshair that keys move.

// On the screen the patient's right lies left, and the front above: x and y run the other way.
export const STEPS = { ArrowLeft: [1, 0], ArrowRight: [-1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

// The voxel [x, y, z] so many steps further, within a scan; dimensions: [width, height, slices].
export function stepped([x, y, z], [right, up], steps, [width, height]) {
  const within = (value, most) => Math.max(0, Math.min(most - 1, value));
  return [within(x + right * steps, width), within(y + up * steps, height), z];
}
