// Brings changed slices to the server, one message after the other, and knows whether it has them all.

export class Sync {
  // send(positions): sends the slices as they are now and gives the numbers, or throws.
  // onState(state, error): "idle", "waiting", "sending" or "failed". again(error): seconds until it is tried again
  // by itself, or null.
  constructor({ send, onNumbers = () => {}, onState = () => {}, again = () => null, delay = 120 }) {
    Object.assign(this, { send, onNumbers, onState, again, delay });
    this.pending = new Set();
    this.state = "idle";
    this.failure = null;
    this.running = null;
    this.timer = null;
    this.stroke = null; // while one is under way: {ended, end}
  }

  get busy() {
    return this.pending.size > 0 || this.running !== null || this.stroke !== null;
  }

  changed(positions) {
    for (const position of positions) this.pending.add(position);
    this._tell("waiting");
    this._later(this.delay);
  }

  // A stroke is under way, or no longer: what is drawn is not known before its end.
  stroking(on) {
    if (on) this.stroke ??= promise();
    else {
      this.stroke?.end();
      this.stroke = null;
    }
  }

  // Resolves when the server has what is drawn; throws what kept it from that.
  async settled() {
    while (this.busy) {
      if (this.stroke) await this.stroke.ended;
      else await this.flush();
    }
  }

  // Send what waits, also what could not be sent before.
  flush() {
    clearTimeout(this.timer);
    this.timer = null;
    this.running ??= this._run().finally(() => (this.running = null));
    return this.running;
  }

  close() {
    clearTimeout(this.timer);
    this.closed = true;
  }

  async _run() {
    while (this.pending.size && !this.closed) {
      const some = [...this.pending];
      this.pending.clear();
      this.failure = null;
      this._tell("sending");
      try {
        const numbers = await this.send(some);
        if (!this.closed) this.onNumbers(numbers);
      } catch (error) {
        for (const position of some) this.pending.add(position);
        this.failure = error;
        this._tell("failed", error);
        const seconds = this.again(error);
        if (seconds != null) this._later(1000 * seconds);
        throw error;
      }
    }
    this._tell("idle");
  }

  _later(milliseconds) {
    clearTimeout(this.timer);
    if (!this.closed) this.timer = setTimeout(() => this.flush().catch(() => {}), milliseconds); // onState told it
  }

  _tell(state, error = null) {
    this.state = state;
    if (!this.closed) this.onState(state, error);
  }
}

function promise() {
  let end;
  const ended = new Promise((resolve) => (end = resolve));
  return { ended, end };
}
