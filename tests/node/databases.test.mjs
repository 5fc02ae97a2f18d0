// Databases, the server, collections, indexes, views, analyzers.
import assert from "node:assert/strict";
import { test } from "node:test";
import { aql } from "arangojs";
import { CollectionType } from "arangojs/collections";
import { connect, freshCollection, freshDatabase, plain, refused, unique } from "./support.mjs";

test("the server", async (t) => {
  const db = connect();
  t.after(() => db.close());
  const version = await db.version(true);
  assert.equal(version.server, "arango");
  assert.equal(version.details.role, "SINGLE");
  assert.equal((await db.engine()).name, "rocksdb");
  assert.equal((await db.status()).serverInfo.role, "SINGLE");
  assert.equal(await db.availability(), "default");
  assert.ok(Math.abs((await db.time()) - Date.now()) < 60_000);
  assert.ok((await db.supportInfo()).deployment);
  await db.compact();
  assert.ok((await db.getLogEntries({ size: 1 })).total >= 0);
  await db.listLogMessages({ size: 1 }); // it looks for a member that this old call never had
  const levels = await db.getLogLevel();
  assert.equal((await db.setLogLevel({ replication: "DEBUG" })).replication, "DEBUG");
  assert.deepEqual(await db.setLogLevel({ replication: levels.replication }), levels);
  assert.deepEqual((await db.getLicense()).license, "none");
});

test("databases", async (t) => {
  const system = connect();
  t.after(() => system.close());
  for (const name of [unique("plain"), unique("maçã"), unique("データ")]) {
    const created = await system.createDatabase(name, {
      users: [{ username: "jane", passwd: "pw", active: true, extra: { a: 1 } }],
      sharding: "",
      replicationFactor: 1,
      writeConcern: 1,
    });
    assert.equal(created.name, name.normalize("NFC"));
    assert.equal(await created.exists(), true);
    const info = await created.get();
    assert.deepEqual([info.name, info.isSystem], [name, false]);
    assert.ok((await system.listDatabases()).includes(name));
    assert.ok((await system.listUserDatabases()).includes(name));
    assert.ok((await system.databases()).some((one) => one.name === name));
    assert.ok((await system.userDatabases()).some((one) => one.name === name));
    await refused(system.createDatabase(name), 409, 1207);
    assert.equal(await system.dropDatabase(name), true);
    await refused(system.dropDatabase(name), 404, 1228);
    assert.equal(await created.exists(), false);
  }
  await system.removeUser("jane");
});

test("listing collections", async (t) => {
  const db = await freshDatabase(t);
  await db.createCollection("a");
  await db.createEdgeCollection("b");
  const listed = await db.listCollections();
  assert.deepEqual(listed.map((one) => [one.name, one.type]).sort(), [["a", 2], ["b", 3]]);
  assert.ok((await db.listCollections(false)).some((one) => one.isSystem));
  assert.deepEqual((await db.collections()).map((one) => one.name).sort(), ["a", "b"]);
});

test("what a collection tells", async (t) => {
  const { db, col } = await freshCollection(t, { waitForSync: true });
  assert.equal(await col.exists(), true);
  const info = await col.get();
  assert.deepEqual([info.name, info.status, info.type, info.isSystem], ["c", 3, 2, false]);
  const properties = await col.properties();
  assert.equal(properties.waitForSync, true);
  assert.deepEqual(properties.keyOptions, { allowUserKeys: true, type: "traditional", lastValue: 0 });
  assert.equal((await col.properties({ waitForSync: false })).waitForSync, false);
  assert.equal((await col.count()).count, 0);
  const empty = await col.checksum();
  assert.equal(empty.checksum, "0");
  await col.save({ _key: "k" });
  assert.equal((await col.count()).count, 1);
  assert.notEqual((await col.checksum({ withRevisions: true, withData: true })).checksum, "0");
  assert.ok((await col.revision()).revision);
  const figures = await col.figures(true);
  assert.equal(figures.count, 1);
  assert.equal(typeof figures.figures.indexes.count, "number");
  assert.equal(await col.recalculateCount(), true);
  assert.equal(await col.loadIndexes(), true);
  assert.equal((await col.compact()).name, "c");
  assert.equal((await col.truncate({ compact: true, waitForSync: true })).name, "c");
  assert.equal((await col.count()).count, 0);
  assert.equal((await col.rename("d")).name, "d");
  assert.deepEqual([col.name, await db.collection("c").exists()], ["d", false]);
  await db.renameCollection("d", "e");
  assert.equal((await db.collection("e").drop()).error, false);
  await refused(col.drop(), 404, 1203);
  await refused(db.collection("nowhere").get(), 404, 1203);
});

test("creating collections", async (t) => {
  const db = await freshDatabase(t);
  const col = await db.createCollection("k", {
    keyOptions: { type: "autoincrement", increment: 5, offset: 10, allowUserKeys: true },
    schema: { rule: { required: ["n"] }, level: "strict", message: "needs n" },
    computedValues: [
      { name: "twice", expression: aql`RETURN @doc.n * 2`.query, overwrite: true },
    ],
    cacheEnabled: true,
  });
  assert.deepEqual([(await col.save({ n: 1 }))._key, (await col.save({ n: 2 }))._key], ["10", "15"]);
  assert.equal((await col.document("15")).twice, 4);
  const error = await refused(col.save({}), 400, 1620);
  assert.match(error.message, /needs n/);
  const edges = await db.createEdgeCollection("e");
  assert.equal((await edges.get()).type, CollectionType.EDGE_COLLECTION);
  await refused(db.createCollection("k"), 409, 1207);
  await refused(db.createCollection("1"), 400, 1208);
  const hidden = await db.createCollection("_mine", { isSystem: true });
  assert.equal((await hidden.get()).isSystem, true);
  await hidden.drop({ isSystem: true });
});

test("indexes", async (t) => {
  const { col } = await freshCollection(t);
  const kinds = [
    { type: "persistent", fields: ["n", "m"], unique: true, sparse: true, name: "p" },
    { type: "persistent", fields: ["s"], storedValues: ["t"], estimates: false, deduplicate: false },
    { type: "ttl", fields: ["t"], expireAfter: 0 },
    { type: "geo", fields: ["lat", "lng"] },
    { type: "geo", fields: ["loc"], geoJson: true },
    { type: "mdi", fields: ["x", "y"], fieldValueTypes: "double" },
    { type: "mdi-prefixed", fields: ["x"], prefixFields: ["z"], fieldValueTypes: "double" },
    { type: "fulltext", fields: ["text"], minLength: 3 },
    { type: "inverted", fields: ["title", { name: "body", analyzer: "identity" }] },
  ];
  for (const options of kinds) {
    const created = await col.ensureIndex(options);
    assert.equal(created.type, options.type);
    assert.equal(created.isNewlyCreated, true);
    assert.match(created.id, /^c\/\d+$/);
    const again = await col.ensureIndex(options);
    assert.deepEqual([again.isNewlyCreated, again.id], [false, created.id]);
    assert.equal((await col.index(created.id)).id, created.id);
    assert.equal((await col.index(created.id.split("/")[1])).name, created.name);
  }
  assert.equal((await col.indexes()).length, kinds.length + 1);
  assert.ok((await col.indexes({ withStats: true, withHidden: true })).every((one) => one.figures));
  const [{ id }] = (await col.indexes()).filter((one) => one.name === "p");
  assert.equal((await col.dropIndex("p")).id, id);
  await refused(col.index(id), 404, 1212);
  await refused(col.dropIndex(id), 404, 1212);
  await refused(col.ensureIndex({ type: "nonsense", fields: ["n"] }), 400, 10);
});

test("a unique index is kept", async (t) => {
  const { col } = await freshCollection(t);
  await col.ensureIndex({ type: "persistent", fields: ["n"], unique: true, name: "by_n" });
  await col.saveAll([{ _key: "a", n: 1 }, { _key: "b", n: 2 }]);
  const error = await refused(col.save({ n: 1 }), 409, 1210);
  assert.match(error.message, /by_n/);
  await refused(col.update("a", { n: 2 }), 409, 1210);
  await refused(col.replace("a", { n: 2 }), 409, 1210);
  assert.deepEqual(plain(await col.document("a")), { _key: "a", n: 1 });
});

test("views", async (t) => {
  const { db } = await freshCollection(t);
  const view = await db.createView("v", { type: "arangosearch", links: { c: {} } });
  assert.equal(await view.exists(), true);
  assert.equal((await view.get()).type, "arangosearch");
  assert.deepEqual(Object.keys((await view.properties()).links), ["c"]);
  assert.equal((await view.updateProperties({ cleanupIntervalStep: 7 })).cleanupIntervalStep, 7);
  assert.deepEqual((await view.replaceProperties({})).links, {});
  assert.deepEqual((await db.listViews()).map((one) => one.name), ["v"]);
  assert.deepEqual((await db.views()).map((one) => one.name), ["v"]);
  await view.rename("x");
  await db.renameView("x", "w");
  assert.equal((await db.view("w").get()).name, "w");
  await refused(db.createView("c", { type: "arangosearch" }), 409, 1207);
  assert.equal(await db.view("w").drop(), true);
  assert.equal(await db.view("w").exists(), false);
});

test("analyzers", async (t) => {
  const db = await freshDatabase(t);
  const made = await db.createAnalyzer("a", { type: "delimiter", properties: { delimiter: "|" } });
  assert.equal(await made.exists(), true);
  assert.deepEqual((await made.get()).properties, { delimiter: "|" });
  assert.ok((await db.listAnalyzers()).some((one) => one.name === `${db.name}::a`));
  assert.ok((await db.analyzers()).some((one) => one.name === `${db.name}::a`));
  await made.drop(true);
  assert.equal(await made.exists(), false);
});
