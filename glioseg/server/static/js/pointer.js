// The pointer on the picture while a tool of this page is chosen; with the others it is NiiVue's.

// tool(): {down(hit, event), move(hit, event), up(), abandon(), hover(hit), leave()}, each as far as the tool has it,
// or null. Gives {abandon()}, which lets go of the pointer and of what it began.
export function takePointer(stage, view, tool) {
  let pressed = null; // {id, tool}
  const on = (kind, listener) => stage.addEventListener(kind, listener, { capture: true, passive: false });
  const take = (event) => {
    event.preventDefault();
    event.stopPropagation();
  };

  on("pointerdown", (event) => {
    const chosen = tool();
    if (!chosen || event.target !== view.canvas) return;
    take(event);
    if (pressed || (event.button !== 0 && event.button !== 2)) return;
    const hit = view.hit(event.clientX, event.clientY);
    if (!hit) return;
    view.canvas.focus({ preventScroll: true });
    try {
      view.canvas.setPointerCapture(event.pointerId);
    } catch {
      // a pointer that is gone already
    }
    pressed = { id: event.pointerId, tool: chosen };
    // A finger may be the first of two: what a click does, it does when the finger leaves.
    if (event.pointerType === "touch" && !chosen.move) pressed.late = () => chosen.down?.(hit, event);
    else chosen.down?.(hit, event);
  });
  on("pointermove", (event) => {
    const chosen = pressed?.tool ?? tool();
    if (!chosen) return;
    event.stopPropagation();
    if (pressed && event.pointerId !== pressed.id) return;
    const hit = view.hit(event.clientX, event.clientY);
    chosen.hover?.(hit, event);
    if (pressed && hit) chosen.move?.(hit, event);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    on(kind, (event) => {
      if (pressed?.id !== event.pointerId) return;
      const { tool: chosen, late } = pressed;
      pressed = null;
      take(event);
      late?.();
      chosen.up?.();
    });
  }
  on("pointerleave", (event) => event.target === view.canvas && !pressed && tool()?.leave?.());
  // What a browser makes of the same pointer for older pages, such as NiiVue.
  for (const kind of ["mousedown", "mousemove", "touchstart", "touchmove", "touchend", "contextmenu"]) {
    on(kind, (event) => tool() && event.target === view.canvas && take(event));
  }
  return {
    abandon() {
      const chosen = pressed?.tool;
      const began = chosen && !pressed.late;
      pressed = null;
      if (began) (chosen.abandon ?? chosen.up)?.();
    },
  };
}
