// Queries of the supported kind, cursors, transactions, jobs.
import assert from "node:assert/strict";
import { test } from "node:test";
import { aql } from "arangojs";
import { connect, freshCollection, plain, refused, until } from "./support.mjs";

async function filled(t) {
  const made = await freshCollection(t);
  await made.col.saveAll([1, 2, 3, 4, 5].map((n) => ({ _key: `k${n}`, n })));
  return made;
}

test("queries", async (t) => {
  const { db, col } = await filled(t);
  const all = await db.query(aql`FOR d IN ${col} SORT d.n RETURN d.n`, { count: true });
  assert.equal(all.count, 5);
  assert.deepEqual(await all.all(), [1, 2, 3, 4, 5]);
  assert.deepEqual(all.extra.warnings, []);
  assert.equal(all.extra.stats.scannedFull, 5);
  const some = await db.query(aql`FOR d IN ${col} FILTER d.n > ${2} SORT d.n DESC LIMIT 2 RETURN d`);
  assert.deepEqual((await some.all()).map(plain), [{ _key: "k5", n: 5 }, { _key: "k4", n: 4 }]);
  const one = await db.query("RETURN {a: @a}", { a: 1 });
  assert.deepEqual(await one.next(), { a: 1 });
  const changed = await db.query(aql`FOR d IN ${col} UPDATE d WITH { m: 1 } IN ${col}`);
  assert.equal(changed.extra.stats.writesExecuted, 5);
});

test("cursors", async (t) => {
  const { db, col } = await filled(t);
  const query = aql`FOR d IN ${col} SORT d.n RETURN d.n`;
  const run = () => db.query(query, { batchSize: 2 });
  const batches = (await run()).batches;
  assert.deepEqual(await batches.next(), [1, 2]);
  assert.deepEqual(await batches.all(), [[3, 4], [5]]);
  const seen = [];
  for await (const n of await run()) seen.push(n);
  assert.deepEqual(seen, [1, 2, 3, 4, 5]);
  assert.deepEqual(await (await run()).map((n) => n * 2), [2, 4, 6, 8, 10]);
  assert.equal(await (await run()).reduce((sum, n) => sum + n, 0), 15);
  assert.deepEqual(await (await run()).flatMap((n) => (n > 3 ? [n, n] : [])), [4, 4, 5, 5]);
  const killed = await run();
  await killed.kill();
  assert.equal(await killed.next(), undefined);
  const loaded = await run();
  await loaded.batches.loadAll();
  assert.equal(loaded.batches.hasMore, false);
  assert.deepEqual(await loaded.all(), [1, 2, 3, 4, 5]);
});

test("a cursor with retries", async (t) => {
  const { db, col } = await filled(t);
  const cursor = await db.query(aql`FOR d IN ${col} SORT d.n RETURN d.n`, {
    batchSize: 2,
    allowRetry: true,
  });
  assert.deepEqual(await cursor.all(), [1, 2, 3, 4, 5]);
});

test("queries that are refused", async (t) => {
  const { db } = await filled(t);
  await refused(db.query("NONSENSE"), 400, 1501);
  await refused(db.query("FOR d IN nowhere RETURN d"), 404, 1203);
  await refused(db.query("FOR d IN @@c RETURN d"), 400, 1551);
  await refused(db.query("FOR d IN c COLLECT n = d.n RETURN n"), 501, 9);
  await refused(db.query("FOR v IN 1..1 ANY 'c/k1' e RETURN v"), 501, 9);
});

test("hot backups", async (t) => {
  const { db } = await freshCollection(t);
  const made = await db.createHotBackup({ label: "made by arangojs" });
  assert.match(made.id, /Z_made_by_arangojs$/);
  assert.equal(made.potentiallyInconsistent, false);
  const { server, list } = await db.getHotBackups();
  assert.match(server, /^[0-9]+$/);
  assert.equal(list[made.id].datetime, made.datetime);
  assert.deepEqual(Object.keys((await db.getHotBackups([made.id])).list), [made.id]);
  await db.deleteHotBackup(made.id);
  await refused(db.deleteHotBackup(made.id), 404, 14);
  await refused(db.getHotBackups("1"), 404, 404);
  await refused(db.restoreHotBackup("1"), 404, 404);
});

test("what is not here", async (t) => {
  const { db } = await freshCollection(t);
  const asked = [
    () => db.explain("FOR d IN c RETURN d"),
    () => db.parse("FOR d IN c RETURN d"),
    () => db.queryRules(),
    () => db.queryTracking(),
    () => db.listRunningQueries(),
    () => db.listUserFunctions(),
    () => db.createUserFunction("a::b", "function () {}"),
    () => db.executeTransaction({ write: ["c"] }, "function () {}"),
    () => db.createGraph("g", []),
    () => db.getService("/m"),
    () => db.acquireHostList(),
    () => db.createAccessToken("root", { name: "t", valid_until: 2_000_000_000 }),
    () => db.getAccessTokens("root"),
    () => db.deleteAccessToken("root", 1),
    () => db.queryTracking({ enabled: true }),
    () => db.listSlowQueries(),
    () => db.clearSlowQueries(),
    () => db.killQuery("1"),
    () => db.listQueryCacheEntries(),
    () => db.clearQueryCache(),
    () => db.getQueryCacheProperties(),
    () => db.setQueryCacheProperties({ mode: "on" }),
    () => db.dropUserFunction("a::b"),
    () => db.installService("/m", Buffer.from("x")),
    () => db.replaceService("/m", Buffer.from("x")),
    () => db.upgradeService("/m", Buffer.from("x")),
    () => db.uninstallService("/m"),
    () => db.getServiceConfiguration("/m"),
    () => db.replaceServiceConfiguration("/m", {}),
    () => db.updateServiceConfiguration("/m", {}),
    () => db.getServiceDependencies("/m"),
    () => db.replaceServiceDependencies("/m", {}),
    () => db.updateServiceDependencies("/m", {}),
    () => db.setServiceDevelopmentMode("/m", true),
    () => db.getServiceScripts("/m"),
    () => db.runServiceScript("/m", "setup", {}),
    () => db.runServiceTests("/m", {}),
    () => db.getServiceReadme("/m"),
    () => db.getServiceDocumentation("/m"),
    () => db.downloadService("/m"),
    () => db.commitLocalServiceState(),
    () => db.setLicense("abc"),
    () => db.getClusterImbalance(),
    () => db.computeClusterRebalance({}),
    () => db.executeClusterRebalance([]),
    () => db.rebalanceCluster({}),
  ];
  for (const ask of asked) {
    await refused(ask(), 501, 9).catch((error) => {
      throw new Error(String(ask), { cause: error });
    });
  }
  await assert.rejects(db.collection("c").shards(), { code: 501 });
  await assert.rejects(db.collection("c").getResponsibleShard({ _key: "k" }), { code: 501 });
  assert.deepEqual(await db.listGraphs(), []);
  assert.deepEqual(await db.graphs(), []);
  assert.deepEqual(await db.listServices(), []);
});

test("a graph that is not there", async (t) => {
  const { db } = await freshCollection(t);
  assert.equal(await db.graph("g").exists(), false);
});

test("a transaction is committed", async (t) => {
  const { db, col } = await freshCollection(t);
  const transaction = await db.beginTransaction({ write: [col] }, { waitForSync: true });
  await transaction.step(() => col.save({ _key: "k" }));
  assert.equal(await transaction.step(() => col.documentExists("k")), true);
  assert.equal(await col.documentExists("k"), false);
  assert.deepEqual((await transaction.get()).status, "running");
  assert.equal(await transaction.exists(), true);
  assert.deepEqual(await db.listTransactions(), [{ id: transaction.id, state: "running" }]);
  assert.deepEqual((await db.transactions()).map((one) => one.id), [transaction.id]);
  assert.deepEqual(await transaction.commit(), { id: transaction.id, status: "committed" });
  assert.equal(await col.documentExists("k"), true);
  await assert.rejects(transaction.abort(), { code: 400 });
});

test("a transaction is aborted", async (t) => {
  const { db, col } = await freshCollection(t);
  const transaction = await db.beginTransaction(col);
  await transaction.step(() => col.saveAll([{ _key: "a" }, { _key: "b" }]));
  const cursor = await transaction.step(() => db.query(aql`FOR d IN ${col} RETURN d._key`));
  assert.deepEqual((await cursor.all()).sort(), ["a", "b"]);
  assert.deepEqual(await transaction.abort(), { id: transaction.id, status: "aborted" });
  assert.equal((await col.count()).count, 0);
  await refused(db.beginTransaction("nowhere"), 404, 1203);
  await refused(db.transaction("12345").get(), 404, 1655);
  assert.equal(await db.transaction("nonsense").exists(), false);
});

test("a transaction sees a moment", async (t) => {
  const { db, col } = await freshCollection(t);
  await col.save({ _key: "k", n: 1 });
  const transaction = await db.beginTransaction({ read: [col] });
  assert.equal((await transaction.step(() => col.document("k"))).n, 1);
  await col.update("k", { n: 2 });
  await col.save({ _key: "later" });
  assert.equal((await transaction.step(() => col.document("k"))).n, 1);
  assert.equal(await transaction.step(() => col.documentExists("later")), false);
  await transaction.commit();
});

test("withTransaction", async (t) => {
  const { db, col } = await freshCollection(t);
  const saved = await db.withTransaction({ exclusive: [col] }, (step) =>
    step(() => col.save({ _key: "k" })),
  );
  assert.equal(saved._key, "k");
  const failing = db.withTransaction(col, async (step) => {
    await step(() => col.save({ _key: "l" }));
    await step(() => col.save({ _key: "k" }));
  });
  await refused(failing, 409, 1210);
  assert.equal(await col.documentExists("l"), false);
});

test("two transactions want the same document", async (t) => {
  const { db, col } = await freshCollection(t);
  await col.save({ _key: "k", n: 0 });
  const [first, second] = [await db.beginTransaction(col), await db.beginTransaction(col)];
  await first.step(() => col.update("k", { n: 1 }));
  await refused(second.step(() => col.update("k", { n: 2 })), 409, 1200);
  await second.abort();
  await first.commit();
  assert.equal((await col.document("k")).n, 1);
});

test("jobs", async (t) => {
  const { db, col } = await freshCollection(t);
  const job = await db.createJob(() => col.save({ _key: "k" }));
  await until(() => job.getCompleted());
  assert.ok((await db.listCompletedJobs()).includes(job.id));
  assert.equal((await job.load())._key, "k");
  assert.equal(job.isLoaded, true);
  await assert.rejects(db.job(job.id).getCompleted(), { code: 404 });
  const again = await db.createJob(() => {
    const saved = col.save({ _key: "k" });
    saved.catch(() => {}); // the driver rejects this one too
    return saved;
  });
  await until(() => again.getCompleted());
  await refused(again.load(), 409, 1210);
  const forgotten = await db.createJob(() => col.count());
  await until(() => forgotten.getCompleted());
  await forgotten.deleteResult();
  await assert.rejects(forgotten.getCompleted(), { code: 404 });
  await assert.rejects(forgotten.cancel(), { code: 404 });
  await db.deleteExpiredJobResults(0);
  await db.deleteAllJobResults();
  assert.deepEqual(await db.listPendingJobs(), []);
});

test("the time in the queue", async (t) => {
  const db = connect({ responseQueueTimeSamples: 2 });
  t.after(() => db.close());
  await db.version();
  assert.equal(typeof db.queueTime.getLatest(), "number");
  assert.ok(db.queueTime.getLatest() >= 0);
  await db.version();
  await db.version();
  assert.equal(db.queueTime.getValues().length, 2);
  assert.ok(db.queueTime.getAvg() >= 0);
  db.setResponseQueueTimeSamples(1);
  assert.equal(db.queueTime.getValues().length, 1);
});
