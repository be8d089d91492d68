// Scans and their corrections, kept in this browser (IndexedDB) until they are closed or discarded.

const STORES = { scans: "key", steps: ["key", "index"], files: "key" };

function done(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
    request.onblocked = () => reject(new Error("blocked"));
  });
}

function finished(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = transaction.onerror = () => reject(transaction.error);
  });
}

// null where the browser keeps nothing.
export async function openStore(name = "glioseg") {
  try {
    const request = indexedDB.open(name, 1);
    request.onupgradeneeded = () => {
      for (const [store, keyPath] of Object.entries(STORES)) request.result.createObjectStore(store, { keyPath });
    };
    return new Store(await done(request));
  } catch {
    return null;
  }
}

// All steps of a scan, from one on.
const stepsOf = (key, first = 0) => IDBKeyRange.bound([key, first], [key, Infinity]);

class Store {
  constructor(database) {
    this.database = database;
    // Another page needs a newer form of the store: this one lets go of it.
    database.onversionchange = () => database.close();
  }

  // Everything in one transaction: a page that ends in between leaves either all of it or nothing.
  _write(stores, write) {
    const transaction = this.database.transaction(stores, "readwrite", { durability: "strict" });
    write((name) => transaction.objectStore(name));
    const end = finished(transaction);
    transaction.commit?.();
    return end;
  }

  _read(store) {
    return this.database.transaction(store).objectStore(store);
  }

  // record: {key, ...}
  put(record) {
    return this._write(["scans"], (store) => store("scans").put(record));
  }

  get(key) {
    return done(this._read("scans").get(key));
  }

  list() {
    return done(this._read("scans").getAll());
  }

  // A step becomes the one of this index and the last; the record belongs to it.
  addStep(record, index, step) {
    return this._write(["scans", "steps"], (store) => {
      store("steps").delete(stepsOf(record.key, index));
      store("steps").put({ key: record.key, index, step });
      store("scans").put(record);
    });
  }

  putSteps(record, steps) {
    return this._write(["scans", "steps"], (store) => {
      store("steps").delete(stepsOf(record.key));
      steps.forEach((step, index) => store("steps").put({ key: record.key, index, step }));
      store("scans").put(record);
    });
  }

  async steps(key) {
    return (await done(this._read("steps").getAll(stepsOf(key)))).map(({ step }) => step);
  }

  // files: [{file, path}]
  putFiles(key, files) {
    return this._write(["files"], (store) => store("files").put({ key, files }));
  }

  async files(key) {
    return (await done(this._read("files").get(key)))?.files ?? null;
  }

  remove(key) {
    return this._write(Object.keys(STORES), (store) => {
      store("scans").delete(key);
      store("files").delete(key);
      store("steps").delete(stepsOf(key));
    });
  }
}
