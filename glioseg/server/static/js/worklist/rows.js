// The rows of the list, kept up with the server.
import { getJson } from "../api.js";

const SOON = 1500; // milliseconds while something is going on
const LATER = 10_000;

export class Rows {
  // onChange(): rows have changed; onError(error): the server could not be asked.
  constructor({ onChange, onError }) {
    Object.assign(this, { onChange, onError });
    this.byKey = new Map();
    this.version = -1;
    this.finding = true;
    this.faults = [];
  }

  get all() {
    return [...this.byKey.values()];
  }

  // Whether the server is still at work on some of them.
  get busy() {
    return this.finding || this.all.some((row) => row.status === "waiting" || row.status === "running");
  }

  // Ask now, and again from time to time.
  async follow() {
    clearTimeout(this.timer);
    try {
      await this.ask();
    } catch (error) {
      this.onError(error);
    }
    this.timer = setTimeout(() => this.follow(), this.busy && !document.hidden ? SOON : LATER);
  }

  async ask() {
    const { server, rows, version, finding, kept, faults } = await getJson(`/api/worklist?since=${this.version}`);
    if (this.server && server !== this.server) {
      this.byKey.clear();
      Object.assign(this, { server: null, version: -1 });
      return this.ask();
    }
    const changed = rows.length > 0 || finding !== this.finding || this.version < 0 || faults.length !== this.faults.length;
    Object.assign(this, { server, version, finding, kept, faults });
    for (const row of rows) this.byKey.set(row.key, row);
    if (changed) this.onChange();
  }

  set(row) {
    this.byKey.set(row.key, row);
    this.onChange();
  }
}
