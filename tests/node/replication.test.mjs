// The replication protocol by raw requests, since the driver has no class for it; errors, packing.
import assert from "node:assert/strict";
import { test } from "node:test";
import { HttpError } from "arangojs/errors";
import { connect, freshCollection, freshDatabase, refused } from "./support.mjs";

const HEADER = "x-arango-replication-";

async function text(response) {
  const body = response.parsedBody;
  return typeof body === "string" ? body : Buffer.from(await body.arrayBuffer()).toString();
}

async function lines(response) {
  return (await text(response)).split("\n").filter(Boolean).map((line) => JSON.parse(line));
}

test("a copy by batch, inventory, dump and tail", async (t) => {
  const { db, col } = await freshCollection(t);
  await col.saveAll([{ _key: "a", n: 1 }, { _key: "b", n: 2 }, { _key: "c", n: 3 }]);
  const replication = db.route("_api/replication");

  const { id, lastTick } = (await replication.post("batch", { ttl: 600 })).parsedBody;
  assert.match(id, /^\d+$/);
  await col.update("a", { n: 10 });
  await col.remove("b");

  const inventory = (await replication.get("inventory", { batchId: id })).parsedBody;
  assert.ok(Number(inventory.tick) >= Number(lastTick));
  const [entry] = inventory.collections.filter((one) => one.parameters.name === "c");
  assert.deepEqual([entry.parameters.type, entry.indexes], [2, []]);

  const search = { batchId: id, collection: "c", chunkSize: 1_000_000 };
  const dump = await replication.get("dump", search);
  assert.equal(dump.status, 200);
  assert.match(dump.headers.get("content-type"), /^application\/x-arango-dump/);
  assert.equal(dump.headers.get(`${HEADER}checkmore`), "false");
  const copy = new Map((await lines(dump)).map((line) => [line.data._key, line.data]));
  assert.deepEqual([...copy.values()].map((one) => one.n), [1, 2, 3]);

  const wal = db.route("_api/wal");
  const tail = await wal.get("tail", { from: lastTick });
  assert.equal(tail.headers.get(`${HEADER}frompresent`), "true");
  assert.equal(tail.headers.get(`${HEADER}checkmore`), "false");
  const last = (await wal.get("lastTick")).parsedBody.tick;
  assert.equal(tail.headers.get(`${HEADER}lastincluded`), last);
  for (const marker of await lines(tail)) {
    if (marker.type === 2300) copy.set(marker.data._key, marker.data);
    if (marker.type === 2302) copy.delete(marker.data._key);
  }
  assert.deepEqual([...copy.values()], await col.documents(["a", "c"]));

  const nothing = await wal.get("tail", { from: last });
  assert.equal(nothing.status, 204);
  assert.equal(nothing.headers.get(`${HEADER}lastincluded`), "0");
  assert.equal(nothing.headers.get(`${HEADER}lastscanned`), last);

  assert.equal((await replication.put(`batch/${id}`, { ttl: 10 })).status, 204);
  assert.equal((await replication.delete(`batch/${id}`)).status, 204);
  await refused(replication.delete(`batch/${id}`), 404, 1600);
  await refused(replication.get("dump", search), 404, 1600);
});

test("a dump in chunks", async (t) => {
  const { db, col } = await freshCollection(t);
  await col.saveAll(Array.from({ length: 50 }, (_, n) => ({ _key: `k${n}`, text: "x".repeat(99) })));
  const replication = db.route("_api/replication");
  const { id } = (await replication.post("batch", { ttl: 600 })).parsedBody;
  const keys = [];
  for (let chunk = 0, more = true; more; chunk += 1) {
    assert.ok(chunk < 50);
    const answer = await replication.get("dump", { batchId: id, collection: "c", chunkSize: 1000 });
    keys.push(...(await lines(answer)).map((line) => line.data._key));
    more = answer.headers.get(`${HEADER}checkmore`) === "true";
  }
  assert.deepEqual(keys, Array.from({ length: 50 }, (_, n) => `k${n}`));
  await replication.delete(`batch/${id}`);
});

test("the logger", async (t) => {
  const db = await freshDatabase(t);
  const replication = db.route("_api/replication");
  const state = (await replication.get("logger-state")).parsedBody;
  assert.equal(state.state.running, true);
  assert.equal((await replication.get("server-id")).parsedBody.serverId, state.server.serverId);
  assert.ok((await replication.get("logger-first-tick")).parsedBody.firstTick);
  assert.ok((await replication.get("logger-tick-ranges")).parsedBody.length > 0);
  assert.equal((await replication.get("applier-state")).parsedBody.state.running, false);
  assert.equal((await replication.get("applier-config")).parsedBody.autoStart, false);
  const range = (await db.route("_api/wal").get("range")).parsedBody;
  assert.ok(Number(range.tickMin) <= Number(range.tickMax));
});

test("errors", async (t) => {
  const { db } = await freshCollection(t);
  const error = await refused(db.collection("nowhere").get(), 404, 1203);
  assert.equal(error.response.status, 404);
  assert.match(error.toString(), /ArangoError 1203/);
  await refused(db.route("_api/nonsense").get(), 404, 404);
  await refused(db.route("_api/document/c").post("", "{broken"), 400, 600);
  await refused(connect({ databaseName: "nowhere" }).listCollections(), 404, 1228);
  await assert.rejects(db.route("_api/collection/nowhere").head(), (caught) => {
    assert.ok(caught instanceof HttpError);
    assert.equal(caught.code, 404);
    return true;
  });
});

test("raw routes", async (t) => {
  const { db } = await freshCollection(t);
  const collection = db.route("_api/collection", { "x-mine": "yes" }).route("c");
  assert.equal((await collection.get("count")).parsedBody.count, 0);
  assert.equal((await collection.put("properties", { waitForSync: true })).parsedBody.waitForSync, true);
  const document = db.route("_api/document").route("c");
  assert.equal((await document.post({ _key: "k" })).status, 201);
  const found = await document.get("k");
  assert.equal(found.headers.get("etag"), `"${found.parsedBody._rev}"`);
  assert.equal((await document.patch("k", { n: 1 }, { returnNew: true })).parsedBody.new.n, 1);
  assert.equal((await document.head("k")).status, 200);
  assert.equal((await document.delete("k")).status, 200);
});

test("answers are packed for those who want it", async (t) => {
  const { db, col } = await freshCollection(t);
  const big = "the same again and again ".repeat(1000);
  await col.save({ _key: "k", big });
  for (const coding of ["gzip", "deflate"]) {
    const wanting = db.route("_api/document/c", { "accept-encoding": coding });
    const answer = await wanting.get("k");
    assert.equal(answer.headers.get("content-encoding"), coding);
    assert.equal(answer.parsedBody.big, big);
  }
});

test("many requests at once", async (t) => {
  const { col } = await freshCollection(t);
  const numbers = Array.from({ length: 200 }, (_, n) => n);
  await Promise.all(numbers.map((n) => col.save({ _key: `k${n}`, n })));
  const found = await Promise.all(numbers.map((n) => col.document(`k${n}`)));
  assert.deepEqual(found.map((one) => one.n), numbers);
});
