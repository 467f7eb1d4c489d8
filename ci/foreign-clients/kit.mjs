// @solana/kit against a ledger. usage: node kit.mjs HTTP WEBSOCKET SECRET_KEY_JSON
import assert from "node:assert/strict";
import {
  AccountRole, address, appendTransactionMessageInstruction, createKeyPairSignerFromBytes, createSolanaRpc,
  createSolanaRpcSubscriptions, createTransactionMessage, generateKeyPairSigner, getSignatureFromTransaction,
  isSolanaError, lamports, pipe, sendAndConfirmTransactionFactory, setTransactionMessageFeePayerSigner,
  setTransactionMessageLifetimeUsingBlockhash, signTransactionMessageWithSigners,
  SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE,
} from "@solana/kit";

const [http, ws, secret] = process.argv.slice(2);
const rpc = createSolanaRpc(http);
const rpcSubscriptions = createSolanaRpcSubscriptions(ws);
const payer = await createKeyPairSignerFromBytes(Uint8Array.from(JSON.parse(secret)));
const to = await generateKeyPairSigner();
const sendAndConfirm = sendAndConfirmTransactionFactory({ rpc, rpcSubscriptions });

/** `SystemInstruction::Transfer`. */
function transfer(amount) {
  const data = new DataView(new ArrayBuffer(12));
  data.setUint32(0, 2, true);
  data.setBigUint64(4, amount, true);
  return {
    programAddress: address("11111111111111111111111111111111"),
    accounts: [
      { address: payer.address, role: AccountRole.WRITABLE_SIGNER, signer: payer },
      { address: to.address, role: AccountRole.WRITABLE },
    ],
    data: new Uint8Array(data.buffer),
  };
}

async function signed(amount) {
  const { value: blockhash } = await rpc.getLatestBlockhash().send();
  const message = pipe(
    createTransactionMessage({ version: 0 }),
    (message) => setTransactionMessageFeePayerSigner(payer, message),
    (message) => setTransactionMessageLifetimeUsingBlockhash(blockhash, message),
    (message) => appendTransactionMessageInstruction(transfer(amount), message),
  );
  return signTransactionMessageWithSigners(message);
}

const abort = new AbortController();
const changes = (await rpcSubscriptions.accountNotifications(to.address, { encoding: "base64" })
  .subscribe({ abortSignal: abort.signal }))[Symbol.asyncIterator]();

// kit keeps what comes only once it was asked for something.
const firstChange = changes.next();
const first = await signed(1_000_000n);
await sendAndConfirm(first, { commitment: "confirmed" });
const { value: told, context } = (await firstChange).value;
assert.equal(told.lamports, 1_000_000n);
const found = await rpc.getTransaction(getSignatureFromTransaction(first),
  { encoding: "json", maxSupportedTransactionVersion: 0 }).send();
assert.equal(found.slot, context.slot);
assert.equal(found.meta.fee, 5000n);
assert.equal(found.version, 0);
assert.equal((await rpc.getBalance(to.address).send()).value, 1_000_000n);
const account = await rpc.getAccountInfo(to.address, { encoding: "base64" }).send();
assert.equal(account.value.space, 0n);
await rpc.requestAirdrop(to.address, lamports(5n)).send();
assert.equal((await changes.next()).value.value.lamports, 1_000_005n);

await assert.rejects(sendAndConfirm(await signed(10n ** 18n), { commitment: "confirmed" }), (error) => {
  assert.ok(isSolanaError(error, SOLANA_ERROR__JSON_RPC__SERVER_ERROR_SEND_TRANSACTION_PREFLIGHT_FAILURE), error);
  assert.ok(error.context.logs.some((line) => line.includes("insufficient lamports")));
  return true;
});
assert.equal(await rpc.getHealth().send(), "ok");
assert.equal((await rpc.getEpochInfo().send()).absoluteSlot, await rpc.getSlot().send());
abort.abort();
console.log("kit: all as expected");
process.exit(0);
