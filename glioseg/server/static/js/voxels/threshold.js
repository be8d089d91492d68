// Another threshold for the probability map: only what lies between the old and the new one changes, so that
// everything that was drawn elsewhere stays.

// probability: 0 to 255 a voxel; before and after: thresholds, 0 to 1. A voxel at the threshold is lesion.
export function moveThreshold(mask, probability, before, after, label = 1) {
  const [low, high] = [Math.min(before, after), Math.max(before, after)].map((threshold) => Math.round(255 * threshold));
  const now = after < before ? label : 0;
  for (let z = 0; z < mask.count; z++) {
    const end = (z + 1) * mask.size;
    let touched = false;
    for (let place = z * mask.size; place < end; place++) {
      const value = probability[place];
      if (value < low || value >= high || (mask.voxels[place] !== 0) === (now !== 0)) continue;
      if (!touched) mask.touch(z, z);
      touched = true;
      mask.voxels[place] = now;
    }
  }
}

// The threshold that the mask has now: that of the last step that moved it.
export function thresholdOf(history, own) {
  for (let at = history.position - 1; at >= 0; at--) {
    const { kind, threshold } = history.steps[at];
    if (kind === "network") return own;
    if (kind === "threshold") return threshold;
  }
  return own;
}
