// Where the lesion is, slice by slice: red predicted above, green true below. A click jumps there.
export class Strip {
  constructor(canvas, onJump) {
    this.canvas = canvas;
    this.counts = { predicted: [], true: null };
    this.count = 1;
    canvas.addEventListener("click", (event) => {
      const box = canvas.getBoundingClientRect();
      onJump(Math.floor(((event.clientX - box.left) / box.width) * this.count));
    });
    new ResizeObserver(() => this.paint()).observe(canvas);
  }

  set(counts, count) {
    this.counts = counts;
    this.count = count;
    this.paint();
  }

  mark(slice) {
    this.slice = slice;
    this.paint();
  }

  paint() {
    const { canvas } = this;
    const ratio = window.devicePixelRatio || 1;
    const width = (canvas.width = Math.round(canvas.clientWidth * ratio));
    const height = (canvas.height = Math.round(canvas.clientHeight * ratio));
    const context = canvas.getContext("2d");
    const style = getComputedStyle(canvas);
    const step = width / this.count;
    const rows = this.counts.true ? 2 : 1;
    const most = Math.max(1, ...this.counts.predicted, ...(this.counts.true || []));
    context.fillStyle = style.getPropertyValue("--track");
    context.fillRect(0, 0, width, height);
    const draw = (counts, row, colour) => {
      context.fillStyle = colour;
      counts.forEach((count, slice) => {
        if (!count) return;
        const high = (height / rows - 2 * ratio) * Math.max(0.18, Math.sqrt(count / most));
        context.fillRect(slice * step, (row + 1) * (height / rows) - high, Math.max(1, step - ratio), high);
      });
    };
    draw(this.counts.predicted, 0, "#ff2b2b");
    if (this.counts.true) draw(this.counts.true, 1, "#00c040");
    context.strokeStyle = style.getPropertyValue("--ink");
    context.lineWidth = 2 * ratio;
    context.strokeRect((this.slice ?? 0) * step + ratio, ratio, Math.max(step - 2 * ratio, ratio), height - 2 * ratio);
  }
}
