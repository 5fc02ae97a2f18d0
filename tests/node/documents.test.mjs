// Documents one by one and many at once, edges, imports.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpError } from "arangojs/errors";
import { freshCollection, freshDatabase, plain, refused, without } from "./support.mjs";

test("saving", async (t) => {
  const { col } = await freshCollection(t);
  const made = await col.save({ _key: "k", n: 1 });
  assert.deepEqual(Object.keys(made).sort(), ["_id", "_key", "_rev"]);
  assert.equal(made._id, "c/k");
  const full = await col.save({ n: 2 }, { returnNew: true, waitForSync: true });
  assert.equal(full.new.n, 2);
  assert.equal(await col.save({ _key: "s" }, { silent: true }), undefined);
  assert.ok(await col.documentExists("s"));
  await refused(col.save({ _key: "k" }), 409, 1210);
  await refused(col.save({ _key: "a b" }), 400, 1221);
  await refused(col.save({ _key: 1 }), 400, 1221);
});

test("saving over what is there", async (t) => {
  const { col } = await freshCollection(t);
  const save = async (options) => {
    await col.save({ _key: "k", n: 1, o: { a: 1 } }, { overwriteMode: "replace", silent: true });
    const answer = await col.save(
      { _key: "k", m: 2, o: { b: null } },
      { returnNew: true, returnOld: true, ...options },
    );
    return [plain(await col.document("k")), answer];
  };
  const [replaced, answer] = await save({ overwriteMode: "replace" });
  assert.deepEqual(replaced, { _key: "k", m: 2, o: { b: null } });
  assert.deepEqual([answer.old.n, answer.new.m, answer._oldRev], [1, 2, answer.old._rev]);
  const [updated] = await save({ overwriteMode: "update", keepNull: true });
  assert.deepEqual(updated, { _key: "k", n: 1, m: 2, o: { a: 1, b: null } });
  const [dropped] = await save({ overwriteMode: "update", keepNull: false });
  assert.deepEqual(dropped, { _key: "k", n: 1, m: 2, o: { a: 1 } });
  const [unmerged] = await save({ overwriteMode: "update", keepNull: true, mergeObjects: false });
  assert.deepEqual(unmerged, { _key: "k", n: 1, m: 2, o: { b: null } });
  const [ignored] = await save({ overwriteMode: "ignore" });
  assert.deepEqual(ignored, { _key: "k", n: 1, o: { a: 1 } });
  await refused(save({ overwriteMode: "conflict" }), 409, 1210);
});

test("reading", async (t) => {
  const { db, col } = await freshCollection(t);
  const { _rev } = await col.save({ _key: "k", n: 1 });
  const expected = { _key: "k", _id: "c/k", _rev, n: 1 };
  assert.deepEqual(await col.document("k"), expected);
  assert.deepEqual(await col.document("c/k"), expected);
  assert.deepEqual(await col.document({ _id: "c/k" }), expected);
  await refused(col.document("nothing"), 404, 1202);
  assert.equal(await col.document("nothing", { graceful: true }), null);
  assert.equal(await col.document("nothing", true), null);
  await refused(db.collection("nowhere").document("k", { graceful: true }), 404, 1203);
  assert.equal(await col.documentExists("k"), true);
  assert.equal(await col.documentExists("nothing"), false);
});

test("reading under conditions", async (t) => {
  const { col } = await freshCollection(t);
  const { _rev: old } = await col.save({ _key: "k" });
  const { _rev: now } = await col.update("k", { n: 1 });
  assert.equal((await col.document("k", { ifMatch: now })).n, 1);
  assert.equal((await col.document("k", { ifNoneMatch: old })).n, 1);
  await refused(col.document("k", { ifMatch: old }), 412, 1200);
  await assert.rejects(col.document("k", { ifNoneMatch: now }), (error) => {
    assert.ok(error instanceof HttpError);
    assert.equal(error.code, 304);
    return true;
  });
  assert.equal(await col.documentExists("k", { ifMatch: now }), true);
});

test("changing", async (t) => {
  const { col } = await freshCollection(t);
  const { _rev: old } = await col.save({ _key: "k", n: 1, o: { a: 1 } });
  const updated = await col.update("k", { o: { b: 2 } }, { returnNew: true, returnOld: true });
  assert.deepEqual([updated.new.o, updated.old.o], [{ a: 1, b: 2 }, { a: 1 }]);
  assert.equal(updated._oldRev, old);
  await col.update("k", { o: { c: 3 } }, { mergeObjects: false });
  await col.update("k", { n: null }, { keepNull: false });
  assert.deepEqual(plain(await col.document("k")), { _key: "k", o: { c: 3 } });
  await col.update("k", { n: null });
  assert.equal((await col.document("k")).n, null);
  await refused(col.update("k", { n: 1 }, { ifMatch: old }), 412, 1200);
  await refused(col.replace("k", { n: 1 }, { ifMatch: old }), 412, 1200);
  await refused(col.remove("k", { ifMatch: old }), 412, 1200);
  await refused(col.update("k", { n: 1, _rev: old }, { ignoreRevs: false }), 412, 1200);
  const replaced = await col.replace("k", { m: 1 }, { returnNew: true, returnOld: true });
  assert.deepEqual([plain(replaced.new), replaced.old.n], [{ _key: "k", m: 1 }, null]);
  assert.equal(await col.replace("k", {}, { silent: true }), undefined);
  const removed = await col.remove("k", { returnOld: true });
  assert.equal(removed.old._key, "k");
  await refused(col.update("k", {}), 404, 1202);
  await refused(col.replace("k", {}), 404, 1202);
  await refused(col.remove("k"), 404, 1202);
});

test("versions of one's own", async (t) => {
  const { col } = await freshCollection(t);
  await col.save({ _key: "k", v: 5 });
  await col.update("k", { v: 4, n: 1 }, { versionAttribute: "v" });
  await col.replace("k", { v: 5, n: 2 }, { versionAttribute: "v" });
  assert.deepEqual(plain(await col.document("k")), { _key: "k", v: 5 });
  await col.update("k", { v: 6, n: 3 }, { versionAttribute: "v" });
  assert.deepEqual(plain(await col.document("k")), { _key: "k", v: 6, n: 3 });
});

test("many documents", async (t) => {
  const { col } = await freshCollection(t);
  const saved = await col.saveAll([{ _key: "a", n: 1 }, { _key: "b", n: 2 }], { returnNew: true });
  assert.deepEqual(saved.map((one) => one.new.n), [1, 2]);
  const mixed = await col.saveAll([{ _key: "a" }, { _key: "c" }, { _key: "d e" }]);
  assert.deepEqual(mixed.map((one) => one.errorNum), [1210, undefined, 1221]);
  assert.equal(mixed[0].error, true);
  const read = await col.documents(["a", { _key: "b" }, "nothing"]);
  assert.deepEqual(read.map((one) => one.n ?? one.errorNum), [1, 2, 1202]);
  const updated = await col.updateAll(
    [{ _key: "a", m: null }, { _key: "nothing" }],
    { returnNew: true, keepNull: false },
  );
  assert.deepEqual([plain(updated[0].new), updated[1].errorNum], [{ _key: "a", n: 1 }, 1202]);
  const replaced = await col.replaceAll([{ _id: "c/b", x: 1 }], { returnOld: true });
  assert.equal(replaced[0].old.n, 2);
  const stale = await col.replaceAll([{ _key: "b", _rev: replaced[0]._oldRev }], { ignoreRevs: false });
  assert.equal(stale[0].errorNum, 1200);
  const removed = await col.removeAll(["a", { _key: "b" }, "nothing"], { returnOld: true });
  assert.deepEqual(removed.map((one) => one.old?._key ?? one.errorNum), ["a", "b", 1202]);
  assert.equal((await col.count()).count, 1);
});

test("edges", async (t) => {
  const db = await freshDatabase(t);
  const edges = await db.createEdgeCollection("e");
  await edges.saveAll([
    { _key: "in", _from: "v/1", _to: "v/2" },
    { _key: "out", _from: "v/2", _to: "v/3" },
    { _key: "loop", _from: "v/2", _to: "v/2" },
  ]);
  const keys = (answer) => answer.edges.map((one) => one._key).sort();
  assert.deepEqual(keys(await edges.edges("v/2")), ["in", "loop", "out"]);
  assert.deepEqual(keys(await edges.inEdges("v/2")), ["in", "loop"]);
  assert.deepEqual(keys(await edges.outEdges("v/2")), ["loop", "out"]);
  assert.deepEqual(keys(await edges.edges("v/9")), []);
  await refused(edges.save({ _from: "v/1" }), 400, 1233);
  const replaced = await edges.replace("in", { _from: "v/3", _to: "v/2" }, { returnNew: true });
  assert.equal(replaced.new._from, "v/3");
});

test("imports are answered with these members and no others", async (t) => {
  const { col } = await freshCollection(t);
  const counts = (changes) => ({
    error: false, created: 0, errors: 0, empty: 0, updated: 0, ignored: 0, ...changes,
  });
  const lines = (...documents) => documents.map((one) => JSON.stringify(one) + "\r\n").join("");
  const [a, b] = [{ _key: "a", n: 1 }, { _key: "b", n: 2 }];
  const cases = [
    [[a, b], {}, { created: 2 }],
    [[["_key", "n"], ["c", 3], ["d", 4]], {}, { created: 2 }],
    [lines(a, { _key: "e" }), { type: "documents" }, { created: 1, errors: 1 }],
    [JSON.stringify([a, { _key: "f" }]), { type: "list", onDuplicate: "ignore" },
      { created: 1, ignored: 1 }],
    [JSON.stringify([{ _key: "g" }]), { type: "auto" }, { created: 1 }],
    [lines({ _key: "h" }) + "\r\n\r\n" + lines({ _key: "i" }), { type: "auto" },
      { created: 2, empty: 2 }],
    [Buffer.from(lines({ _key: "j" })), { type: "documents" }, { created: 1 }],
    [lines(["_key", "n"], ["k", 1]), {}, { created: 1 }],
    [[{ _key: "a", m: 1 }], { onDuplicate: "update" }, { updated: 1 }],
    [[{ _key: "b", m: 1 }], { onDuplicate: "replace", waitForSync: true }, { updated: 1 }],
    [[{ _key: "z" }], { overwrite: true }, { created: 1 }],
  ];
  for (const [data, options, changes] of cases) {
    assert.deepEqual(await col.import(data, options), counts(changes));
  }
  const detailed = await col.import([{ _key: "z" }, { _key: "y" }], { details: true });
  assert.deepEqual(without(detailed, "details"), counts({ created: 1, errors: 1 }));
  assert.equal(detailed.details.length, 1);
  await refused(col.import([{ _key: "x" }, { _key: "z" }], { complete: true }), 409, 1210);
  assert.equal(await col.documentExists("x"), false);
  assert.deepEqual((await col.documents(["z"])).map(plain), [{ _key: "z" }]);
});

test("imports of edges", async (t) => {
  const db = await freshDatabase(t);
  const edges = await db.createEdgeCollection("e");
  await edges.import([{ _key: "k", _from: "1", _to: "2" }], { fromPrefix: "v", toPrefix: "w/" });
  const edge = await edges.document("k");
  assert.deepEqual([edge._from, edge._to], ["v/1", "w/2"]);
});
