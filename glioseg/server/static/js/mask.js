// From the drawing of the viewer to the mask of the API.

// NiiVue stores rows from the back and columns from the right (RAS+); the API takes rows from the front and columns
// from the left of the picture, with 1 for lesion whatever the pen's value was. size: voxels of a slice.
export function inPictureOrder(drawing, size) {
  const mask = new Uint8Array(drawing.length);
  for (let start = 0; start < drawing.length; start += size) {
    for (let place = 0; place < size; place++) mask[start + place] = drawing[start + size - 1 - place] ? 1 : 0;
  }
  return mask;
}
