// Users, what they may do, how they show who they are.
import assert from "node:assert/strict";
import { test } from "node:test";
import { connect, freshDatabase, password, refused, unique, url } from "./support.mjs";
import { Database } from "arangojs";

async function freshUser(t, system) {
  const name = unique("user");
  await system.createUser(name, { passwd: "pw", active: true, extra: { a: 1 } });
  t.after(() => system.removeUser(name));
  return name;
}

function connectedAs(t, username, databaseName) {
  const db = connect({ databaseName, auth: { username, password: "pw" } });
  t.after(() => db.close());
  return db;
}

test("users", async (t) => {
  const db = connect();
  t.after(() => db.close());
  const name = unique("user");
  const made = await db.createUser(name, "pw");
  assert.deepEqual([made.user, made.active, made.extra], [name, true, {}]);
  await refused(db.createUser(name, "pw"), 409, 1702);
  assert.ok((await db.listUsers()).some((one) => one.user === name));
  const updated = await db.updateUser(name, { extra: { b: 2 }, active: false });
  assert.deepEqual([updated.extra, updated.active], [{ b: 2 }, false]);
  const replaced = await db.replaceUser(name, { passwd: "new", extra: { c: 3 } });
  assert.deepEqual([replaced.extra, replaced.active], [{ c: 3 }, true]);
  assert.deepEqual((await db.getUser(name)).extra, { c: 3 });
  await db.removeUser(name);
  await refused(db.getUser(name), 404, 1703);
  await refused(db.removeUser(name), 404, 1703);
});

test("levels", async (t) => {
  const db = await freshDatabase(t);
  const system = connect();
  const name = await freshUser(t, system);
  t.after(() => system.close());
  await db.createCollection("c");
  const theirs = connectedAs(t, name, db.name);
  assert.equal(await system.getUserAccessLevel(name, { database: db }), "none");
  await refused(theirs.listCollections(), 401, 11);
  await system.setUserAccessLevel(name, { database: db }, "rw");
  assert.equal(await system.getUserAccessLevel(name, { database: db.name }), "rw");
  await theirs.collection("c").save({ _key: "k" });
  await db.setUserAccessLevel(name, { collection: db.collection("c") }, "ro");
  assert.equal(await db.getUserAccessLevel(name, { collection: "c" }), "ro");
  assert.ok(await theirs.collection("c").document("k"));
  await assert.rejects(theirs.collection("c").save({}), { code: 403 });
  assert.equal((await db.getUserDatabases(name))[db.name], "rw");
  assert.equal((await db.getUserDatabases(name, true))[db.name].collections.c, "ro");
  await db.clearUserAccessLevel(name, { collection: "c" });
  await theirs.collection("c").save({});
  await system.clearUserAccessLevel(name, { database: db });
  await refused(theirs.listCollections(), 401, 11);
});

test("tokens", async (t) => {
  const db = new Database({ url });
  t.after(() => db.close());
  await refused(db.listDatabases(), 401, 11);
  await refused(db.login("root", "wrong"), 401, 401);
  const token = await db.login("root", password);
  assert.equal(token.split(".").length, 3);
  assert.ok((await db.listDatabases()).includes("_system"));
  assert.equal(await db.renewAuthToken(), null); // the old one is good for long
  assert.ok(await db.listDatabases());
  const other = new Database({ url, auth: { token } });
  t.after(() => other.close());
  assert.ok(await other.listDatabases());
  other.useBearerAuth("nonsense");
  await refused(other.listDatabases(), 401, 11);
  other.useBasicAuth("root", password);
  assert.ok(await other.listDatabases());
});
