// A browser prints nothing of a picture that the graphics card keeps: paper gets a copy of what is shown.

export function connectPrinting(view, paper) {
  const copy = () => {
    paper.width = view.canvas.width;
    paper.height = view.canvas.height;
    if (!view.scan || view.quiet) return;
    view.nv.drawScene(); // the card has it until the end of this task
    const brush = paper.getContext("2d");
    for (const layer of [view.canvas, view.lines.canvas]) if (!layer.hidden) brush.drawImage(layer, 0, 0, paper.width, paper.height);
  };
  window.addEventListener("beforeprint", copy);
}
