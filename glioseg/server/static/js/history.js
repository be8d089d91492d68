// What was done to a mask, in one line: steps that were done, and behind the position those that were taken back.

export const NETWORK = 0; // the state of a mask that is the network's own

export class History {
  // steps: {id, kind, slices}, see mask.js; position: how many of them are done; last: the highest id ever given.
  constructor({ steps = [], position = 0, last = 0 } = {}) {
    Object.assign(this, { steps, position, last });
  }

  get canUndo() {
    return this.position > 0;
  }

  get canRedo() {
    return this.position < this.steps.length;
  }

  // Names the mask as it is: two equal states are the same mask.
  get state() {
    const done = this.steps[this.position - 1];
    return !done || done.kind === "network" ? NETWORK : done.id;
  }

  // A new step; those that were taken back can no longer be done again.
  push(step) {
    this.steps.length = this.position;
    this.steps.push({ ...step, id: ++this.last });
    this.position++;
    return this.steps[this.position - 1];
  }

  // The step to take back, or null.
  undo() {
    return this.canUndo ? this.steps[--this.position] : null;
  }

  // The step to do again, or null.
  redo() {
    return this.canRedo ? this.steps[this.position++] : null;
  }

  // The slices that may differ from the network's mask.
  touched() {
    return [...new Set(this.steps.slice(0, this.position).flatMap(({ slices }) => slices.map(({ z }) => z)))];
  }

  // Another network made another mask beneath: the way from that to the old one becomes the first step.
  rebase(step) {
    // Whoever went back to the network's mask went back to the old network's.
    const steps = this.steps.map((each) => (each.kind === "network" ? { ...each, kind: "stroke" } : each));
    this.steps = [{ ...step, id: ++this.last }, ...steps];
    this.position++;
  }
}
