// @solana/web3.js against a ledger. usage: node web3.mjs HTTP WEBSOCKET SECRET_KEY_JSON
import assert from "node:assert/strict";
import {
  AddressLookupTableProgram, ComputeBudgetProgram, Connection, Keypair, PublicKey, SendTransactionError,
  SYSVAR_CLOCK_PUBKEY, SystemProgram, Transaction, TransactionMessage, VersionedTransaction,
  sendAndConfirmTransaction,
} from "@solana/web3.js";

const [http, wsEndpoint, secret] = process.argv.slice(2);
const connection = new Connection(http, { commitment: "confirmed", wsEndpoint });
const payer = Keypair.fromSecretKey(Uint8Array.from(JSON.parse(secret)));
const SOL = 1_000_000_000;

// The cluster.
assert.equal((await connection.getVersion())["solana-core"], "4.2.2");
assert.equal(typeof (await connection.getGenesisHash()), "string");
assert.equal((await connection.getEpochInfo()).absoluteSlot, await connection.getSlot());
assert.ok((await connection.getEpochSchedule()).slotsPerEpoch > 0);
assert.equal((await connection.getClusterNodes()).length, 1);
assert.equal(await connection.getMinimumBalanceForRentExemption(0), 890880);
assert.deepEqual(await connection.getVoteAccounts(), { current: [], delinquent: [] });

// Subscriptions, made before anything happens.
const to = Keypair.generate();
const told = { account: [], logs: [], slots: [] };
const subscriptions = [
  connection.onAccountChange(to.publicKey, (account, context) => told.account.push([context.slot, account.lamports])),
  connection.onLogs(to.publicKey, (logs) => told.logs.push(logs.signature)),
  connection.onSlotChange((slot) => told.slots.push(slot.slot)),
];
async function until(what, fact) {
  for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((next) => setTimeout(next, 5)))
    if (await fact()) return;
  throw new Error(`${what} did not happen: ${JSON.stringify(told)}`);
}
// web3.js subscribes when its socket is open and does not say when: airdrops elsewhere show when it hears of slots.
await until("a slot", async () => (await connection.requestAirdrop(payer.publicKey, 1), told.slots.length > 0));

// An airdrop, confirmed by subscription.
const before = await connection.getSlot();
const airdrop = await connection.requestAirdrop(to.publicKey, SOL);
const latest = await connection.getLatestBlockhash();
const confirmed = await connection.confirmTransaction({ signature: airdrop, ...latest });
assert.equal(confirmed.value.err, null);
assert.equal(await connection.getBalance(to.publicKey), SOL);

// A transfer; its fee; its record.
const transfer = (lamports) =>
  SystemProgram.transfer({ fromPubkey: payer.publicKey, toPubkey: to.publicKey, lamports });
const transaction = new Transaction().add(transfer(5), ComputeBudgetProgram.setComputeUnitLimit({ units: 100_000 }));
const signature = await sendAndConfirmTransaction(connection, transaction, [payer]);
const record = await connection.getTransaction(signature, { maxSupportedTransactionVersion: 0 });
assert.equal(record.meta.fee, 5000);
assert.equal(record.meta.postBalances[1] - record.meta.preBalances[1], 5);
assert.ok(record.meta.logMessages.includes("Program 11111111111111111111111111111111 success"));
assert.equal((await connection.getParsedTransaction(signature)).slot, record.slot);
assert.equal((await connection.getFeeForMessage(transaction.compileMessage())).value, 5000);
assert.deepEqual((await connection.getSignaturesForAddress(to.publicKey)).map((one) => one.signature),
  [signature, airdrop]);
assert.equal((await connection.getBlock(record.slot, { maxSupportedTransactionVersion: 0 })).transactions.length, 1);
assert.equal((await connection.getSignatureStatus(signature)).value.confirmationStatus, "finalized");
await until("both changes", () => told.account.length === 2 && told.logs.length === 2);
assert.deepEqual(told.account, [[before + 1, SOL], [record.slot, SOL + 5]]);
assert.deepEqual(told.logs, [airdrop, signature]);
assert.ok(told.slots.every((slot, nth) => nth === 0 || slot === told.slots[nth - 1] + 1));

// A transaction that fails is refused with its logs.
const tooMuch = new Transaction().add(transfer(10n ** 18n));
await assert.rejects(sendAndConfirmTransaction(connection, tooMuch, [payer]), (error) => {
  assert.ok(error instanceof SendTransactionError);
  assert.ok(error.logs.some((line) => line.includes("insufficient lamports")), error.logs.join("\n"));
  return true;
});
const simulated = await connection.simulateTransaction(
  new VersionedTransaction(new TransactionMessage({
    payerKey: payer.publicKey, recentBlockhash: PublicKey.default.toBase58(), instructions: [transfer(1)],
  }).compileToV0Message()), { replaceRecentBlockhash: true });
assert.equal(simulated.value.err, null);

// A version 0 transaction through a lookup table.
const [create, table] = AddressLookupTableProgram.createLookupTable({
  authority: payer.publicKey, payer: payer.publicKey, recentSlot: await connection.getSlot("finalized"),
});
const extend = AddressLookupTableProgram.extendLookupTable({
  lookupTable: table, authority: payer.publicKey, payer: payer.publicKey, addresses: [to.publicKey],
});
await sendAndConfirmTransaction(connection, new Transaction().add(create, extend), [payer]);
const lookup = (await connection.getAddressLookupTable(table)).value;
assert.deepEqual(lookup.state.addresses.map(String), [to.publicKey.toBase58()]);
const { blockhash } = await connection.getLatestBlockhash();
const through = new VersionedTransaction(new TransactionMessage({
  payerKey: payer.publicKey, recentBlockhash: blockhash, instructions: [transfer(7)],
}).compileToV0Message([lookup]));
through.sign([payer]);
await connection.sendTransaction(through);
assert.equal(await connection.getBalance(to.publicKey), SOL + 12);

// Accounts.
const clock = await connection.getAccountInfo(SYSVAR_CLOCK_PUBKEY);
assert.equal(Number(clock.data.readBigUInt64LE(0)), await connection.getSlot());
assert.equal((await connection.getMultipleAccountsInfo([to.publicKey, table]))[1].owner.toBase58(),
  AddressLookupTableProgram.programId.toBase58());
const tables = await connection.getProgramAccounts(AddressLookupTableProgram.programId, {
  filters: [{ memcmp: { offset: 22, bytes: payer.publicKey.toBase58() } }], dataSlice: { offset: 56, length: 32 },
});
assert.deepEqual(tables.map(({ account }) => new PublicKey(account.data).toBase58()), [to.publicKey.toBase58()]);
assert.equal((await connection.getParsedAccountInfo(to.publicKey)).value.lamports, SOL + 12);
await assert.rejects(connection.getTokenSupply(to.publicKey), /Method not found/);

await Promise.all([
  connection.removeAccountChangeListener(subscriptions[0]),
  connection.removeOnLogsListener(subscriptions[1]),
  connection.removeSlotChangeListener(subscriptions[2]),
]);
console.log("web3.js: all as expected");
process.exit(0);
