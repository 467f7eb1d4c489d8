"""solana-py and solders against a ledger. usage: solana_py.py HTTP WEBSOCKET SECRET_KEY_JSON"""

import asyncio
import json
import sys

from solana.rpc.async_api import AsyncClient
from solana.rpc.commitment import Confirmed
from solana.rpc.core import RPCException
from solana.rpc.models import MemcmpOpts, TxOpts
from solana.rpc.websocket_api import SolanaWsClient
from solders.keypair import Keypair
from solders.message import MessageV0
from solders.pubkey import Pubkey
from solders.rpc.responses import SendTransactionPreflightFailureMessage
from solders.system_program import (
    CreateAccountParams,
    TransferParams,
    create_account,
    transfer,
)
from solders.transaction import VersionedTransaction

LOADER = Pubkey.from_string("BPFLoaderUpgradeab1e11111111111111111111111")


async def main(http: str, ws: str, secret: str) -> None:
    payer = Keypair.from_bytes(bytes(json.loads(secret)))
    to = Keypair().pubkey()
    client = AsyncClient(http, commitment=Confirmed)
    assert await client.is_connected()
    assert (await client.get_version()).value.solana_core == "4.2.2"

    async def signed(instructions, signers):
        blockhash = (await client.get_latest_blockhash()).value.blockhash
        message = MessageV0.try_compile(payer.pubkey(), instructions, [], blockhash)
        return VersionedTransaction(message, signers)

    def pay(lamports):
        return transfer(TransferParams(from_pubkey=payer.pubkey(), to_pubkey=to, lamports=lamports))

    async with SolanaWsClient(ws) as socket:
        subscription = await socket.account_subscribe(pubkey=to, encoding="base64")
        signature = (await client.send_transaction(await signed([pay(1_000_000)], [payer]))).value
        told = await socket.recv()
        assert told.result.value.lamports == 1_000_000
        statuses = await client.confirm_transaction(signature, Confirmed, sleep_seconds=0.05)
        assert statuses.value[0].err is None
        assert statuses.value[0].slot == told.result.context.slot
        await socket.unsubscribe(subscription)

        airdrop = (await client.request_airdrop(to, 5)).value
        await socket.signature_subscribe(signature=airdrop)
        assert (await socket.recv()).result.value.err is None

    assert (await client.get_balance(to)).value == 1_000_005
    found = (await client.get_transaction(signature, max_supported_transaction_version=0)).value
    assert found.transaction.meta.fee == 5000
    assert "Program 11111111111111111111111111111111 success" in found.transaction.meta.log_messages
    assert [one.signature for one in (await client.get_signatures_for_address(to)).value] == [airdrop, signature]
    assert (await client.get_block_height()).value == (await client.get_slot()).value

    try:
        await client.send_transaction(await signed([pay(10**18)], [payer]), TxOpts(preflight_commitment=Confirmed))
        raise AssertionError("it was not refused")
    except RPCException as refused:
        failure = refused.args[0]
        assert isinstance(failure, SendTransactionPreflightFailureMessage), failure
        assert any("insufficient lamports" in line for line in failure.data.logs), failure.data.logs

    # An account of some program, read in the ways that programs' clients do.
    made = Keypair()
    rent = (await client.get_minimum_balance_for_rent_exemption(200)).value
    make = create_account(
        CreateAccountParams(
            from_pubkey=payer.pubkey(), to_pubkey=made.pubkey(), lamports=rent, space=200, owner=LOADER
        )
    )
    await client.send_transaction(await signed([make], [payer, made]))
    account = (await client.get_account_info(made.pubkey(), encoding="base64+zstd")).value
    assert (account.data, account.owner) == (bytes(200), LOADER)
    filters = [200, MemcmpOpts(offset=0, bytes="1111")]
    accounts = (await client.get_program_accounts(LOADER, encoding="base64", filters=filters)).value
    assert [one.pubkey for one in accounts] == [made.pubkey()]
    many = (await client.get_multiple_accounts([made.pubkey(), Keypair().pubkey()])).value
    assert many[0].lamports == rent and many[1] is None
    await client.close()
    print("solana-py: all as expected")


asyncio.run(main(*sys.argv[1:]))
