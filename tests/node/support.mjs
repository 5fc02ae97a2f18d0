// What every test file needs: a driver for a server that runs already, databases of one's own,
// and a short way to expect an error.
import assert from "node:assert/strict";
import { Database } from "arangojs";

export const url = process.env.ARANGOREP_URL;
export const password = process.env.ARANGOREP_PASSWORD;
if (!url || !password) throw new Error("ARANGOREP_URL and ARANGOREP_PASSWORD say where the server is");

export const root = { username: "root", password };

let made = 0;

export function unique(prefix) {
  made += 1;
  return `${prefix}_${process.pid}_${made}`;
}

export function connect(config = {}) {
  return new Database({ url, auth: root, ...config });
}

// A database of the test's own, dropped at its end.
export async function freshDatabase(t) {
  const system = connect();
  const name = unique("js");
  await system.createDatabase(name);
  const db = connect({ databaseName: name });
  t.after(async () => {
    db.close();
    await system.dropDatabase(name);
    system.close();
  });
  return db;
}

export async function freshCollection(t, options) {
  const db = await freshDatabase(t);
  const col = await db.createCollection("c", options);
  return { db, col };
}

// The promise ends with an error of the server of this status and number.
export async function refused(promise, code, errorNum) {
  const error = await promise.then(
    (value) => assert.fail(`no error but ${JSON.stringify(value)}`),
    (caught) => caught,
  );
  assert.equal(error.name, "ArangoError", String(error));
  assert.deepEqual([error.code, error.errorNum], [code, errorNum], String(error));
  assert.ok(error.isArangoError);
  assert.ok(error.message.length > 0);
  return error;
}

export async function until(look) {
  const deadline = Date.now() + 30_000;
  while (Date.now() < deadline) {
    if (await look()) return;
  }
  assert.fail("it never came");
}

export function without(document, ...names) {
  return Object.fromEntries(Object.entries(document).filter(([name]) => !names.includes(name)));
}

export const plain = (document) => without(document, "_id", "_rev");
