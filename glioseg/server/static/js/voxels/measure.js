// Lengths and angles between points of a scan, in millimetres where the spacing is known.

// spacing: [slice, row, column] in mm, or null: then a voxel is a pixel long in each direction of its slice.
function between(from, to, spacing) {
  const sides = spacing ? [spacing[2], spacing[1], spacing[0]] : [1, 1, 1];
  return from.map((value, axis) => (to[axis] - value) * sides[axis]);
}

// from and to: [x, y, z] in voxels. unit: "mm" or "pixels".
export function lengthOf([from, to], spacing) {
  return { value: Math.hypot(...between(from, to, spacing)), unit: spacing ? "mm" : "pixels" };
}

// Degrees at the second of three points; 0 where two of them are one.
export function angleOf([from, corner, to], spacing) {
  const [one, other] = [between(corner, from, spacing), between(corner, to, spacing)];
  const product = Math.hypot(...one) * Math.hypot(...other);
  if (!product) return 0;
  const cosine = one.reduce((sum, value, axis) => sum + value * other[axis], 0) / product;
  return (Math.acos(Math.max(-1, Math.min(1, cosine))) * 180) / Math.PI;
}
